#include "nvml/call.hpp"

// What vGPUs of a GPU have in common. The comments of nvml.h say what each function returns when:
// NVIDIA/go-nvml gen/nvml/nvml.h.

using namespace gpuhost;             // NOLINT(google-build-using-namespace)
using namespace gpuhost::fake_nvml;  // NOLINT(google-build-using-namespace)
using nvml::Device;
using nvml::Return;

namespace {

constexpr unsigned nanoseconds = 1'000'000'000;
/// Of a board with at most 8 vGPUs. Source: NVIDIA vGPU user guide, "Default Time Slice Length".
constexpr unsigned usual_timeslice_ns = nanoseconds / 480;
constexpr unsigned usual_averaging = 33;

bool has_vgpus(const FakeGpu& gpu) {
  return gpu.vgpus > 0;
}

}  // namespace

extern "C" {

Return nvmlDeviceGetVgpuSchedulerState(Device device, nvml::SchedulerState* state) {
  return on_gpu("nvmlDeviceGetVgpuSchedulerState", Right::anybody, device, [&](FakeDriver&, FakeGpu& gpu) {
    if (state == nullptr) return nvml::invalid_argument;
    if (!gpu.scheduler || gpu.mig.mode.current) return nvml::not_supported;
    *state = *gpu.scheduler;
    return nvml::success;
  });
}

Return nvmlDeviceSetVgpuSchedulerState(Device device, nvml::SchedulerSetting* setting) {
  return on_gpu("nvmlDeviceSetVgpuSchedulerState", Right::root, device, [&](FakeDriver&, FakeGpu& gpu) {
    if (setting == nullptr || setting->policy < nvml::best_effort || setting->policy > nvml::fixed_share ||
        setting->round_robin > nvml::round_robin_on)
      return nvml::invalid_argument;
    if (!gpu.scheduler || gpu.mig.mode.current || has_vgpus(gpu)) return nvml::not_supported;
    nvml::SchedulerState state{.policy = setting->policy, .round_robin = setting->round_robin};
    if (setting->round_robin == nvml::round_robin_off) {
      const auto given = setting->plain.timeslice_ns;
      state.plain.timeslice_ns = given == 0 ? usual_timeslice_ns : given;
    } else {
      const auto frequency = setting->with_round_robin.frequency_hz;
      const auto averaging = setting->with_round_robin.averaging;
      state.round_robin = nvml::round_robin_on;
      state.with_round_robin = {
          .averaging = averaging == 0 ? usual_averaging : averaging,
          .timeslice_ns = frequency == 0 ? usual_timeslice_ns : nanoseconds / frequency};
    }
    gpu.scheduler = state;
    return nvml::success;
  });
}

Return nvmlDeviceGetVgpuHeterogeneousMode(Device device, nvml::HeterogeneousMode* mode) {
  return on_gpu("nvmlDeviceGetVgpuHeterogeneousMode", Right::anybody, device, [&](FakeDriver&, FakeGpu& gpu) {
    if (mode == nullptr) return nvml::invalid_argument;
    if (mode->version != nvml::struct_version<nvml::HeterogeneousMode>(1))
      return nvml::argument_version_mismatch;
    if (!gpu.mixed_sizes || gpu.mig.mode.current) return nvml::not_supported;
    mode->mode = *gpu.mixed_sizes ? 1 : 0;
    return nvml::success;
  });
}

Return nvmlDeviceSetVgpuHeterogeneousMode(Device device, const nvml::HeterogeneousMode* mode) {
  return on_gpu("nvmlDeviceSetVgpuHeterogeneousMode", Right::root, device, [&](FakeDriver&, FakeGpu& gpu) {
    if (mode == nullptr || mode->mode > 1) return nvml::invalid_argument;
    if (mode->version != nvml::struct_version<nvml::HeterogeneousMode>(1))
      return nvml::argument_version_mismatch;
    if (!gpu.mixed_sizes || gpu.mig.mode.current) return nvml::not_supported;
    if (has_vgpus(gpu)) return nvml::in_use;
    gpu.mixed_sizes = mode->mode == 1;
    return nvml::success;
  });
}

}  // extern "C"
