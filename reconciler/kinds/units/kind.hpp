#pragma once

#include <map>
#include <string>
#include <vector>

#include "kinds/units/units.hpp"

namespace gpuhost {

struct UnitsState {
  std::map<std::string, Result<UnitState>> units;  ///< by name
  bool running = true;                             ///< HostView::running

  [[nodiscard]] Json describe() const;
};

/// In systemd's words, as `units` of the document has them.
[[nodiscard]] bool is_active(const UnitState& unit);
[[nodiscard]] bool is_enabled(const UnitState& unit);

class Units final : public KindOver<UnitsState> {
 public:
  static constexpr std::string_view kind_name = "units";
  explicit Units(std::vector<UnitSpec> spec) : spec_(std::move(spec)) {}

  [[nodiscard]] std::string_view name() const override { return kind_name; }
  [[nodiscard]] std::string advice(const Fact& fact) const override;
  [[nodiscard]] Result<bool> satisfied(const StepAction& action, const HostView& host) const override;
  [[nodiscard]] Result<std::optional<Undo>> undo_of(const StepAction& action,
                                                    const HostView& host) const override;
  Result<void> run(const StepAction& action, Host& host) const override;

 protected:
  [[nodiscard]] UnitsState look(const HostView& host) const override;
  [[nodiscard]] Proposal plan_from(const UnitsState& state, const PlanInput& input) const override;
  [[nodiscard]] std::optional<Truth> holds_in(const Fact& fact, const UnitsState& state) const override;
  [[nodiscard]] std::vector<Offer> offer_from(const Fact& fact, const UnitsState& state,
                                              const PlanInput& input) const override;
  [[nodiscard]] std::string obstacle_in(const Fact& fact, const UnitsState& state) const override;

 private:
  std::vector<UnitSpec> spec_;
};

/// systemd knows the unit.
[[nodiscard]] Fact there(const std::string& unit);

/// "start", "stop", "enable" or "disable" a unit: what a plan has of it beside claims and reasons.
[[nodiscard]] Step unit_step(const std::string& verb, const std::string& unit);

}  // namespace gpuhost
