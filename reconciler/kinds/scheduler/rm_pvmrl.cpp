#include "kinds/scheduler/scheduler.hpp"

namespace gpuhost {

namespace {

constexpr std::uint32_t equal_share = 0x01;
constexpr std::uint32_t fixed_share = 0x11;
constexpr std::uint32_t equal_share_without_round_robin = 0x03;
constexpr unsigned nanoseconds = 1'000'000'000;
constexpr unsigned millisecond = 1'000'000;

}  // namespace

std::uint32_t rm_pvmrl_of(const VgpuScheduler& scheduler) {
  using Turns = VgpuScheduler::Policy;
  if (scheduler.policy == Turns::best_effort) return 0;
  const bool equal = scheduler.policy == Turns::equal_share;
  if (!scheduler.round_robin)
    return scheduler.timeslice_ns / millisecond << 16U |
           (equal ? equal_share_without_round_robin : fixed_share);
  const auto policy = equal ? equal_share : fixed_share;
  if (scheduler.timeslice_ns == 0) return policy;
  const auto frequency = (nanoseconds + scheduler.timeslice_ns / 2) / scheduler.timeslice_ns;
  return scheduler.averaging << 24U | frequency << 12U | policy;
}

}  // namespace gpuhost
