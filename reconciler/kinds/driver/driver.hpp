#pragma once

#include <optional>
#include <string>

#include "document/located.hpp"
#include "document/package_source.hpp"

namespace gpuhost {

/// The host's NVIDIA driver.
struct DriverSpec {
  enum class Flavor { vgpu_manager, graphics, datacenter, none };
  /// Two products share version strings and accept different boards.
  enum class Product { vgpu, nvaie };

  std::optional<Located<Flavor>> flavor;
  std::optional<Product> product;
  std::optional<std::string> release;   ///< of the vGPU software: "19.5"
  std::optional<std::string> version;   ///< of the driver: "580.159.01"
  std::optional<PackageSource> source;  ///< nothing: the driver is checked, not installed
};

}  // namespace gpuhost
