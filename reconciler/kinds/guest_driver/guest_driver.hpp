#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "document/located.hpp"
#include "document/package_source.hpp"
#include "engine/kind.hpp"

namespace gpuhost {

/// The NVIDIA driver inside a guest.
struct GuestDriverSpec {
  std::optional<Located<std::string>> release;
  std::optional<Located<std::string>> version;
  std::optional<PackageSource> source;  ///< nothing: checked against the host's release, not installed
};

/// What a document says of one guest.
struct GuestDriverWish {
  std::string connection;
  std::string vm;
  GuestDriverSpec spec;
  /// It has vGPUs, whose drivers must go with the host's. One that has a GPU whole takes any driver.
  bool has_vgpus = false;
};

/// `host_version`: of the vGPU manager that the document wants; empty: the one that is loaded.
[[nodiscard]] std::unique_ptr<Kind> make_guest_driver(std::vector<GuestDriverWish> wishes,
                                                      std::string host_version);

}  // namespace gpuhost
