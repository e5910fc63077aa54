#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "kinds/gpu_facts.hpp"
#include "kinds/gpu_ownership.hpp"
#include "kinds/observed_json.hpp"
#include "kinds/reported.hpp"
#include "kinds/scheduler/kind.hpp"

namespace gpuhost {

namespace {

using Turns = VgpuScheduler::Policy;

constexpr std::array policy_words{std::pair{Turns::best_effort, "best-effort"},
                                  std::pair{Turns::equal_share, "equal-share"},
                                  std::pair{Turns::fixed_share, "fixed-share"}};
constexpr unsigned nanoseconds = 1'000'000'000;
constexpr unsigned millisecond = 1'000'000;

unsigned frequency_of(unsigned timeslice_ns) {
  return timeslice_ns == 0 ? 0 : (nanoseconds + timeslice_ns / 2) / timeslice_ns;
}

}  // namespace

std::unique_ptr<Kind> make_scheduler(std::vector<ForGpus<VgpuScheduler>> wishes) {
  return std::make_unique<Scheduler>(std::move(wishes));
}

bool is_as_wanted(const VgpuScheduler& now, const VgpuScheduler& wanted) {
  if (now.policy != wanted.policy) return false;
  if (wanted.policy == Turns::best_effort || (wanted.round_robin && wanted.timeslice_ns == 0)) return true;
  if (now.round_robin != wanted.round_robin) return false;
  if (!wanted.round_robin) return now.timeslice_ns == wanted.timeslice_ns;
  return now.averaging == wanted.averaging &&
         frequency_of(now.timeslice_ns) == frequency_of(wanted.timeslice_ns);
}

Json json_of(const VgpuScheduler& scheduler) {
  const auto* word =
      std::ranges::find(policy_words, scheduler.policy, [](const auto& one) { return one.first; });
  Json shown{{"policy", word->second}};
  if (scheduler.policy == Turns::best_effort || scheduler.timeslice_ns == 0) return shown;
  if (!scheduler.round_robin) {
    shown["timeslice"] = scheduler.timeslice_ns / millisecond;
  } else {
    shown["frequency"] = frequency_of(scheduler.timeslice_ns);
    shown["averaging"] = scheduler.averaging;
  }
  return shown;
}

std::optional<VgpuScheduler> scheduler_from(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  const auto name = json.value("policy", std::string{});
  const auto* word =
      std::ranges::find(policy_words, name, [](const auto& one) { return std::string_view(one.second); });
  if (word == policy_words.end()) return std::nullopt;
  VgpuScheduler scheduler{.policy = word->first};
  if (json.contains("timeslice")) {
    scheduler.round_robin = false;
    scheduler.timeslice_ns = json.value("timeslice", 0U) * millisecond;
  } else if (const auto frequency = json.value("frequency", 0U); frequency > 0) {
    scheduler.timeslice_ns = nanoseconds / frequency;
    scheduler.averaging = json.value("averaging", 0U);
  }
  return scheduler;
}

SchedulerState Scheduler::look(const HostView& host) const {
  SchedulerState state{.running = host.running, .inventory = inventory_of(host)};
  if (!host.running || !*state.inventory || (**state.inventory).gpus.empty()) return state;
  state.reports = gpu_reports_of(host);
  return state;
}

std::optional<Observed<VgpuScheduler>> SchedulerState::scheduler_of(const Gpu& gpu) const {
  return reported(reports, gpu, &GpuReport::scheduler);
}

Json SchedulerState::describe() const {
  if (!running) return {{"not_applicable", "no kernel runs under --root"}};
  const auto* seen = gpus_or_none(*inventory);
  if (seen == nullptr) return unknown_json(inventory->error());
  Json shown = Json::object();
  for (const auto& gpu : seen->gpus) {
    const auto scheduler = scheduler_of(gpu);
    if (!scheduler || scheduler->is_absent()) continue;
    shown[gpu.address.to_string()] =
        *scheduler ? json_of(**scheduler) : Json{{"unknown", scheduler->reason()}};
  }
  return shown;
}

}  // namespace gpuhost
