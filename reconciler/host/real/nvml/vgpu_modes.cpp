#include "host/real/nvml/vgpu_modes.hpp"

namespace gpuhost::nvml {

namespace {

constexpr unsigned nanoseconds = 1'000'000'000;

bool is_missing(Return answer) {
  return answer == not_supported || answer == function_not_found;
}

}  // namespace

Observed<VgpuScheduler> read_scheduler(const Session& session, Device device) {
  using Seen = Observed<VgpuScheduler>;
  SchedulerState state{};
  const auto answer = session.library().scheduler(device, &state);
  if (is_missing(answer)) return Seen::absent();
  if (answer != success) return Seen::unknown(session.error(answer, "read the vGPU scheduler").message);
  VgpuScheduler scheduler;
  switch (state.policy) {
    case best_effort:
      return scheduler;
    case equal_share:
      scheduler.policy = VgpuScheduler::Policy::equal_share;
      break;
    case fixed_share:
      scheduler.policy = VgpuScheduler::Policy::fixed_share;
      break;
    default:
      return Seen::unknown("NVIDIA's driver tells a vGPU scheduler that is not known");
  }
  scheduler.round_robin = state.round_robin != round_robin_off;
  scheduler.timeslice_ns =
      scheduler.round_robin ? state.with_round_robin.timeslice_ns : state.plain.timeslice_ns;
  if (scheduler.round_robin) scheduler.averaging = state.with_round_robin.averaging;
  return scheduler;
}

Return write_scheduler(const Library& nvml, Device device, const VgpuScheduler& scheduler) {
  SchedulerSetting setting{};
  setting.policy = scheduler.policy == VgpuScheduler::Policy::best_effort   ? best_effort
                   : scheduler.policy == VgpuScheduler::Policy::equal_share ? equal_share
                                                                            : fixed_share;
  if (!scheduler.round_robin) {
    setting.round_robin = round_robin_off;
    setting.plain.timeslice_ns = scheduler.timeslice_ns;
  } else if (scheduler.averaging > 0 || scheduler.timeslice_ns > 0) {
    setting.round_robin = round_robin_on;
    setting.with_round_robin.averaging = scheduler.averaging;
    if (scheduler.timeslice_ns > 0)
      setting.with_round_robin.frequency_hz =
          (nanoseconds + scheduler.timeslice_ns / 2) / scheduler.timeslice_ns;
  }
  return nvml.set_scheduler(device, &setting);
}

Observed<bool> read_mixed_sizes(const Session& session, Device device) {
  HeterogeneousMode mode{struct_version<HeterogeneousMode>(1), 0};
  const auto answer = session.library().mixed_sizes(device, &mode);
  if (is_missing(answer)) return Observed<bool>::absent();
  if (answer != success)
    return Observed<bool>::unknown(session.error(answer, "read the mixed-size mode").message);
  return mode.mode != 0;
}

}  // namespace gpuhost::nvml
