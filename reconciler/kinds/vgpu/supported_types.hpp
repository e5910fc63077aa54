#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/pci_address.hpp"
#include "base/result.hpp"
#include "catalog/boards.hpp"
#include "host/files.hpp"
#include "inventory/inventory.hpp"

namespace gpuhost {

/// What vGPUs are made of. Source: NVIDIA Virtual GPU Software User Guide, "Installing and Configuring the
/// NVIDIA Virtual GPU Manager": mediated devices before Linux 6.8, the vendor-specific VFIO framework from it
/// on.
enum class VgpuFramework {
  none,  ///< nothing is offered there, or not yet
  mediated,
  vendor_specific,
};

/// A type of vGPU as the driver offers it. From PARENT/mdev_supported_types/nvidia-ID. Source: Linux
/// Documentation/driver-api/vfio-mediated-device.rst.
struct SupportedType {
  std::string name;                        ///< "GRID A100-4C"
  std::optional<unsigned> framebuffer_mb;  ///< from the description
  std::optional<unsigned> max;             ///< on one GPU; from the description
};

/// What the driver offers on one GPU. Its parents of vGPUs are its virtual functions, or else itself.
struct SupportedTypes {
  VgpuFramework framework = VgpuFramework::none;
  std::map<std::string, SupportedType> types;  ///< by id, which the parents of a GPU share
  /// By parent and id, how many more of the types that were asked for can be made. Every mediated parent has
  /// an entry.
  std::map<PciAddress, std::map<std::string, unsigned>> available;
  /// Vendor-specific: virtual functions that are vGPUs.
  std::vector<PciAddress> taken;
  std::optional<Error> unknown;  ///< why it cannot be told
};

/// `asked`: whether more than the name of a type is wanted.
[[nodiscard]] SupportedTypes read_supported_types(const FileReader& files, const Gpu& gpu,
                                                  const std::function<bool(std::string_view)>& asked);

/// PARENT/mdev_supported_types/nvidia-ID of the type with this name, or with this last word of a name: ids
/// change from one driver to the next. not_found: the parent does not offer it.
[[nodiscard]] Result<std::string> directory_of_type(const FileReader& files, const PciAddress& parent,
                                                    std::string_view type);

/// The last word of a type's name, by which it is compared and shown: "A100-4C".
[[nodiscard]] std::string short_type(std::string_view type);

/// What is known of a type on a GPU: what the driver says of it, and else the catalogue.
struct KnownType {
  std::string name;               ///< in short
  std::optional<std::string> id;  ///< nothing: the driver does not offer it now
  std::optional<unsigned> framebuffer_mb;
  std::optional<unsigned> max;
  bool needs_mig = false;
};
[[nodiscard]] std::optional<KnownType> known_type(const SupportedTypes& supported,
                                                  const catalog::Board* board, std::string_view type);

/// Names in short of all types that a GPU of this board has, as far as is known; sorted.
[[nodiscard]] std::vector<std::string> type_names(const SupportedTypes& supported,
                                                  const catalog::Board* board);

}  // namespace gpuhost
