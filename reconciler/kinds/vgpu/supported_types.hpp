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

/// A type of vGPU as the driver offers it. From PARENT/mdev_supported_types/nvidia-ID (Linux
/// Documentation/driver-api/vfio-mediated-device.rst), or FUNCTION/nvidia/creatable_vgpu_types.
struct SupportedType {
  std::string name;                        ///< "GRID A100-4C"
  std::optional<unsigned> framebuffer_mb;  ///< from the description
  std::optional<unsigned> max;             ///< on one GPU; from the description
};

/// What the driver offers on one GPU. Its parents of vGPUs are its virtual functions, or else itself.
struct SupportedTypes {
  VgpuFramework framework = VgpuFramework::none;
  std::map<std::string, SupportedType> types;  ///< by id, which the parents of a GPU share
  /// By parent and id, how many more of the types that were asked for can be made. Every parent of mediated
  /// devices has an entry, and every function of the vendor-specific framework that is no vGPU.
  std::map<PciAddress, std::map<std::string, unsigned>> available;
  std::optional<Error> unknown;  ///< why it cannot be told
};

/// `asked`: whether more than the name of a type is wanted.
[[nodiscard]] SupportedTypes read_supported_types(const FileReader& files, const Gpu& gpu,
                                                  const std::function<bool(std::string_view)>& asked);

/// The types that a virtual function of the vendor-specific framework can be made now, by number. From its
/// nvidia/creatable_vgpu_types.
[[nodiscard]] Result<std::map<unsigned, std::string>> creatable_types(const FileReader& files,
                                                                      const PciAddress& function);

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
  std::string gpu_instance = {};              ///< MIG profile that it is made on; empty: it is time-sliced
  std::optional<unsigned> per_instance = {};  ///< see catalog::vgpus_per_instance
  [[nodiscard]] bool needs_mig() const { return !gpu_instance.empty(); }
};
[[nodiscard]] std::optional<KnownType> known_type(const SupportedTypes& supported,
                                                  const catalog::Board* board, std::string_view type);

/// Names in short of the types that a GPU of this board has, with MIG and without, as far as is known;
/// sorted.
[[nodiscard]] std::vector<std::string> type_names(const SupportedTypes& supported,
                                                  const catalog::Board* board);

}  // namespace gpuhost
