#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "inventory/gpu_reports.hpp"
#include "inventory/inventory.hpp"
#include "kinds/sizes/sizes.hpp"

namespace gpuhost {

struct SizesState {
  bool running = true;
  std::shared_ptr<const Result<Inventory>> inventory;
  std::shared_ptr<const Result<GpuReports>> reports;  ///< null: there is no GPU to ask of
  bool has_manager = false;                           ///< NVIDIA's vGPU manager is loaded

  [[nodiscard]] Json describe() const;
  /// Whether they are mixed. Absent: the GPU has no such mode now. Nothing: the driver does not have the GPU.
  [[nodiscard]] std::optional<Observed<bool>> mixed_on(const Gpu& gpu) const;
  /// Null: the driver does not tell of the GPU.
  [[nodiscard]] const GpuReport* report_of(const Gpu& gpu) const;
};

class Sizes final : public KindOver<SizesState> {
 public:
  static constexpr std::string_view kind_name = "sizes";
  static constexpr const char* field = "sizes";
  explicit Sizes(std::vector<ForGpus<SizesWish>> wishes) : wishes_(std::move(wishes)) {}

  [[nodiscard]] std::string_view name() const override { return kind_name; }
  [[nodiscard]] Stage stage() const override { return Stage::devices; }
  [[nodiscard]] std::string advice(const Fact& fact) const override;
  [[nodiscard]] Result<bool> satisfied(const StepAction& action, const HostView& host) const override;
  [[nodiscard]] Result<std::optional<Undo>> undo_of(const StepAction& action,
                                                    const HostView& host) const override;
  Result<void> run(const StepAction& action, Host& host) const override;

 protected:
  [[nodiscard]] SizesState look(const HostView& host) const override;
  [[nodiscard]] Proposal plan_from(const SizesState& state, const PlanInput& input) const override;
  [[nodiscard]] std::optional<Truth> holds_in(const Fact& fact, const SizesState& state) const override;
  [[nodiscard]] std::vector<Offer> offer_from(const Fact& fact, const SizesState& state,
                                              const PlanInput& input) const override;

 private:
  std::vector<ForGpus<SizesWish>> wishes_;
};

/// As in documents: "mixed", "equal".
[[nodiscard]] const char* sizes_word(bool mixed);

}  // namespace gpuhost
