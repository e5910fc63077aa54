#include "kinds/vgpu/gpu_case.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "catalog/mig.hpp"

namespace gpuhost {

std::string GpuCase::title() const {
  const auto address = gpu.address.to_string();
  std::string remark = board != nullptr ? std::string(board->product) : std::string{};
  if (selected.label != address) remark += (remark.empty() ? "" : ", ") + address;
  return remark.empty() ? "GPU " + selected.label : fmt::format("GPU {} ({})", selected.label, remark);
}

bool GpuCase::uses_functions() const {
  if (supported.available.contains(gpu.address)) return false;
  if (supported.framework != VgpuFramework::none) return true;
  // Turing's boards have SR-IOV, and their vGPUs on the GPU itself all the same.
  if (board != nullptr) return board->sriov;
  return gpu.total_functions && *gpu.total_functions > 0;
}

bool GpuCase::by_vendor_framework() const {
  if (supported.framework != VgpuFramework::none)
    return supported.framework == VgpuFramework::vendor_specific;
  return uses_vendor_framework(gpu, state.vendor_kernel);
}

bool GpuCase::turns_mig_off() const {
  return manages_mig && mig != nullptr && mig->mode != GpuSwitch{};
}

std::string GpuCase::profile_named(std::string_view name) const {
  if (mig != nullptr && mig->profiles)
    for (const auto& told : *mig->profiles)
      if (catalog::same_mig_profile(told.name, name)) return told.name;
  return std::string(name);
}

bool GpuCase::is_yet_to_come() const {
  if (supported.framework != VgpuFramework::none) return false;
  const auto lacks_driver = [](const auto& function) { return function.driver != "nvidia"; };
  return lacks_driver(gpu) ||
         (uses_functions() && (gpu.functions.empty() || std::ranges::any_of(gpu.functions, lacks_driver)));
}

}  // namespace gpuhost
