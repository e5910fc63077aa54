#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "inventory/gpu_reports.hpp"
#include "inventory/holders.hpp"
#include "inventory/inventory.hpp"
#include "kinds/mig/mig.hpp"
#include "kinds/mig_instances.hpp"

namespace gpuhost {

struct MigLayoutsState {
  bool running = true;
  std::shared_ptr<const Result<Inventory>> inventory;
  std::shared_ptr<const Result<GpuReports>> reports;  ///< null: there is no GPU to ask of
  std::shared_ptr<const Usage> usage;                 ///< null: as `reports`
  /// Why a GPU cannot be reset, for its NVSwitches.
  std::map<PciAddress, std::string> against_reset = {};

  [[nodiscard]] Json describe() const;
  /// What the driver tells of the GPU. Absent: it cannot be partitioned. Nothing: the driver does not have
  /// the GPU.
  [[nodiscard]] std::optional<Observed<Mig>> mig_of(const Gpu& gpu) const;
};

class MigLayouts final : public KindOver<MigLayoutsState> {
 public:
  static constexpr std::string_view kind_name = "mig";
  MigLayouts(std::vector<ForGpus<MigWish>> wishes, Omitted omitted)
      : wishes_(std::move(wishes)), omitted_(omitted) {}

  [[nodiscard]] std::string_view name() const override { return kind_name; }
  [[nodiscard]] Stage stage() const override { return Stage::devices; }
  [[nodiscard]] std::string advice(const Fact& fact) const override;
  [[nodiscard]] Result<bool> satisfied(const StepAction& action, const HostView& host) const override;
  [[nodiscard]] Result<std::optional<Undo>> undo_of(const StepAction& action,
                                                    const HostView& host) const override;
  Result<void> run(const StepAction& action, Host& host) const override;

 protected:
  [[nodiscard]] MigLayoutsState look(const HostView& host) const override;
  [[nodiscard]] Proposal plan_from(const MigLayoutsState& state, const PlanInput& input) const override;
  [[nodiscard]] std::optional<Truth> holds_in(const Fact& fact, const MigLayoutsState& state) const override;
  [[nodiscard]] std::vector<Offer> offer_from(const Fact& fact, const MigLayoutsState& state,
                                              const PlanInput& input) const override;

 private:
  std::vector<ForGpus<MigWish>> wishes_;
  Omitted omitted_;
};

}  // namespace gpuhost
