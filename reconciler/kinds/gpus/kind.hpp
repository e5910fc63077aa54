#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "inventory/holders.hpp"
#include "inventory/inventory.hpp"
#include "kinds/gpus/gpus.hpp"

namespace gpuhost {

struct GpusState {
  bool running = true;
  std::shared_ptr<const Result<Inventory>> inventory;
  std::shared_ptr<const Usage> usage;  ///< null: nothing runs under --root

  [[nodiscard]] Json describe() const;
  /// Who keeps the fact "gpu/… idle" or "vgpu/… idle" from being true; nothing: it is another fact.
  [[nodiscard]] std::optional<std::vector<Holder>> holders(const Fact& fact) const;
};

class Gpus final : public KindOver<GpusState> {
 public:
  static constexpr std::string_view kind_name = "gpus";
  explicit Gpus(std::vector<GpuEntry> entries) : entries_(std::move(entries)) {}

  [[nodiscard]] std::string_view name() const override { return kind_name; }
  [[nodiscard]] Stage stage() const override { return Stage::devices; }
  [[nodiscard]] Result<bool> satisfied(const StepAction& action, const HostView& host) const override;
  [[nodiscard]] Result<std::optional<Undo>> undo_of(const StepAction& action,
                                                    const HostView& host) const override;
  Result<void> run(const StepAction& action, Host& host) const override;

 protected:
  [[nodiscard]] GpusState look(const HostView& host) const override;
  [[nodiscard]] Proposal plan_from(const GpusState& state, const PlanInput& input) const override;
  [[nodiscard]] std::optional<Truth> holds_in(const Fact& fact, const GpusState& state) const override;
  [[nodiscard]] std::vector<Offer> offer_from(const Fact& fact, const GpusState& state,
                                              const PlanInput& input) const override;
  [[nodiscard]] std::string obstacle_in(const Fact& fact, const GpusState& state) const override;
  Result<void> remember_from(const GpusState& state, Host& host) const override;

 private:
  std::vector<GpuEntry> entries_;
};

}  // namespace gpuhost
