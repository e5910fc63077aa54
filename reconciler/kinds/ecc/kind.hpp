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
#include "kinds/ecc/ecc.hpp"

namespace gpuhost {

struct EccState {
  bool running = true;
  std::shared_ptr<const Result<Inventory>> inventory;
  std::shared_ptr<const Result<GpuReports>> reports;  ///< null: there is no GPU to ask of
  std::shared_ptr<const Usage> usage;                 ///< null: as `reports`
  /// Why a GPU cannot be reset alone and without loss, in one phrase; not here: it can, as far as nobody
  /// holds it.
  std::map<PciAddress, std::string> against_reset;

  [[nodiscard]] Json describe() const;
  /// What the driver tells. Absent: the GPU has no ECC that can be switched. Nothing: the driver does not
  /// have the GPU.
  [[nodiscard]] std::optional<Observed<GpuSwitch>> ecc_of(const Gpu& gpu) const;
};

class Ecc final : public KindOver<EccState> {
 public:
  static constexpr std::string_view kind_name = "ecc";
  static constexpr const char* field = "ecc";
  Ecc(std::vector<ForGpus<EccWish>> wishes, Omitted omitted)
      : wishes_(std::move(wishes)), omitted_(omitted) {}

  [[nodiscard]] std::string_view name() const override { return kind_name; }
  [[nodiscard]] Result<bool> satisfied(const StepAction& action, const HostView& host) const override;
  [[nodiscard]] Result<std::optional<Undo>> undo_of(const StepAction& action,
                                                    const HostView& host) const override;
  Result<void> run(const StepAction& action, Host& host) const override;

 protected:
  [[nodiscard]] EccState look(const HostView& host) const override;
  [[nodiscard]] Proposal plan_from(const EccState& state, const PlanInput& input) const override;
  [[nodiscard]] std::optional<Truth> holds_in(const Fact& fact, const EccState& state) const override;

 private:
  std::vector<ForGpus<EccWish>> wishes_;
  Omitted omitted_;
};

/// "gpu/ADDRESS" "with ECC on".
[[nodiscard]] Fact ecc_fact(const PciAddress& gpu, bool on);

}  // namespace gpuhost
