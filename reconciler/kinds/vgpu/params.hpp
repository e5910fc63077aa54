#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/pci_address.hpp"
#include "base/uuid.hpp"
#include "host/files.hpp"

namespace gpuhost {

/// Parameters of a vGPU, in nvidia/vgpu_params of the mediated device or of the virtual function. Source:
/// NVIDIA Virtual GPU Software User Guide, "Setting vGPU Plugin Parameters on a Linux with KVM Hypervisor":
/// key=value pairs between commas, written as a whole while no guest has the vGPU; a space takes all away.
using VgpuParams = std::map<std::string, std::string>;

/// Which of them says where the vGPU lies on a GPU in mixed-size mode.
inline constexpr const char* placement_param = "vgpu-placement-id";

[[nodiscard]] std::string vgpu_params_path(const Uuid& vgpu);
[[nodiscard]] std::string vgpu_params_path(const PciAddress& function);
/// Where a vGPU lies on a GPU in mixed-size mode: as the driver says in the file beside its parameters, or
/// else as it was told. Nothing: it lies nowhere yet.
[[nodiscard]] std::optional<unsigned> read_placement(const FileReader& files, const std::string& params_path);
[[nodiscard]] VgpuParams parse_vgpu_params(std::string_view text);
[[nodiscard]] std::string to_text(const VgpuParams& params);
/// Whether `params` has all of `wanted`, with these values.
[[nodiscard]] bool has_all(const VgpuParams& params, const VgpuParams& wanted);

}  // namespace gpuhost
