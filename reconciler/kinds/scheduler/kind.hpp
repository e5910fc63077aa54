#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "inventory/gpu_reports.hpp"
#include "inventory/inventory.hpp"
#include "kinds/scheduler/scheduler.hpp"

namespace gpuhost {

struct SchedulerState {
  bool running = true;
  std::shared_ptr<const Result<Inventory>> inventory;
  std::shared_ptr<const Result<GpuReports>> reports;  ///< null: there is no GPU to ask of

  [[nodiscard]] Json describe() const;
  /// What the driver tells. Absent: it orders no turns there. Nothing: it does not have the GPU.
  [[nodiscard]] std::optional<Observed<VgpuScheduler>> scheduler_of(const Gpu& gpu) const;
};

class Scheduler final : public KindOver<SchedulerState> {
 public:
  static constexpr std::string_view kind_name = "scheduler";
  static constexpr const char* field = "scheduler";
  explicit Scheduler(std::vector<ForGpus<VgpuScheduler>> wishes) : wishes_(std::move(wishes)) {}

  [[nodiscard]] std::string_view name() const override { return kind_name; }
  [[nodiscard]] Stage stage() const override { return Stage::devices; }
  [[nodiscard]] Result<bool> satisfied(const StepAction& action, const HostView& host) const override;
  [[nodiscard]] Result<std::optional<Undo>> undo_of(const StepAction& action,
                                                    const HostView& host) const override;
  Result<void> run(const StepAction& action, Host& host) const override;

 protected:
  [[nodiscard]] SchedulerState look(const HostView& host) const override;
  [[nodiscard]] Proposal plan_from(const SchedulerState& state, const PlanInput& input) const override;

 private:
  std::vector<ForGpus<VgpuScheduler>> wishes_;
};

/// Whether the driver does what is wanted: of what is not said it takes its own.
[[nodiscard]] bool is_as_wanted(const VgpuScheduler& now, const VgpuScheduler& wanted);

/// {"policy": "equal-share", "timeslice": 3} and back, as in documents; nothing: it is none.
[[nodiscard]] Json json_of(const VgpuScheduler& scheduler);
[[nodiscard]] std::optional<VgpuScheduler> scheduler_from(const Json& json);

}  // namespace gpuhost
