#include <fmt/core.h>

#include "host/sim/sim_nvidia.hpp"

// The virtual functions that NVIDIA's sriov-manage makes. It takes the GPU from its driver for a moment,
// which the driver refuses while anybody has it open, loses MIG instances and the mixed-size mode by that,
// and makes all functions the GPU can have. Sources: NVIDIA AI Enterprise vGPU user guide, section 2.7;
// github.com/bigstack-oss/cubecos issue 1141 (the lock), github.com/NVIDIA/gpu-driver-container
// vgpu-manager/ubuntu24.04/nvidia-driver (success that is none).

namespace gpuhost {

namespace {

CommandResult failure(const PciAddress& gpu, std::string_view why) {
  return {1, fmt::format("{} {}\n", why, gpu.to_string())};
}

}  // namespace

CommandResult SimNvidia::enable_functions(const PciAddress& gpu) {
  const auto* hardware = gpu_of(gpu);
  const auto total = static_cast<unsigned>(tree_.number(gpu, "sriov_totalvfs").value_or(0));
  if (hardware == nullptr || total == 0 || !hardware->first_function) {
    return failure(gpu, "No SR-IOV capable GPU at");
  }
  if (tree_.driver_of(gpu) != nvidia_driver) return failure(gpu, "The nvidia driver is not bound to");
  if (!tree_.virtual_functions_of(gpu).empty()) {
    return {0, fmt::format("VFs are already enabled on {}\n", gpu.to_string())};
  }
  if (use_of_gpu_node(gpu)) return failure(gpu, "Cannot obtain unbindLock for");
  lose_what_the_driver_keeps(gpu);
  for (unsigned index = 0; index < total; ++index) {
    const auto function = following(*hardware->first_function, index);
    tree_.add_virtual_function(gpu, index, function);
    if (!accepts(function)) continue;
    tree_.bind(function, nvidia_driver);
    if (hardware->types_after == 0) bound(function);
  }
  events_.erase(gpu);
  tree_.files().put_text(tree_.directory_of(gpu).value_or("") + "/sriov_numvfs", fmt::format("{}\n", total));
  return {0, fmt::format("Enabling VFs on {}\n", gpu.to_string())};
}

Result<CommandResult> SimNvidia::disable_functions(const PciAddress& gpu) {
  if (tree_.driver_of(gpu) != nvidia_driver) return failure(gpu, "The nvidia driver is not bound to");
  if (const auto use = use_of_gpu_node(gpu)) return failure(gpu, "Cannot obtain unbindLock for");
  if (const auto use = use_of_device(gpu)) {
    return never_returns(fmt::format("disable the virtual functions of {}", gpu.to_string()), *use);
  }
  remove_functions(gpu);
  lose_what_the_driver_keeps(gpu);
  return CommandResult{0, fmt::format("Disabling VFs on {}\n", gpu.to_string())};
}

void SimNvidia::remove_functions(const PciAddress& gpu) {
  for (const auto& function : tree_.virtual_functions_of(gpu)) {
    hide_vgpu_interface(function);
    tree_.remove_device(function);
  }
  events_.erase(gpu);
  const auto directory = tree_.directory_of(gpu);
  if (directory && tree_.files().text(*directory + "/sriov_numvfs")) {
    tree_.files().put_text(*directory + "/sriov_numvfs", "0\n");
  }
}

}  // namespace gpuhost
