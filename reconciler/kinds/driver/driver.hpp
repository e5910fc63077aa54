#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/releases.hpp"
#include "document/gpu_entry.hpp"
#include "document/located.hpp"
#include "document/package_source.hpp"
#include "engine/kind.hpp"

namespace gpuhost {

/// The host's NVIDIA driver.
struct DriverSpec {
  enum class Flavor { vgpu_manager, graphics, datacenter, none };
  using Product = catalog::Product;

  std::optional<Located<Flavor>> flavor;
  std::optional<Product> product;
  std::optional<Located<std::string>> release;  ///< of the vGPU software: "19.5"
  std::optional<Located<std::string>> version;  ///< of the driver: "580.159.01"
  std::optional<PackageSource> source;          ///< nothing: the driver is checked, not installed
};

/// The version of the host's driver in a release: of the manager, or on bare metal that of the Linux guests.
[[nodiscard]] inline std::string_view host_version(const catalog::Release& release,
                                                   DriverSpec::Flavor flavor) {
  return flavor == DriverSpec::Flavor::vgpu_manager ? release.manager : release.linux_guest;
}

/// The version that the document gives, itself or by its release; empty: any.
[[nodiscard]] std::string wanted_version(const DriverSpec& spec);

/// `passed_through`: entries of GPUs that guests get whole, so that the host's driver need not accept them.
/// A spec without flavor looks at the host, and wants nothing of it.
[[nodiscard]] std::unique_ptr<Kind> make_driver(std::optional<DriverSpec> spec,
                                                std::vector<GpuEntry> passed_through);

}  // namespace gpuhost
