#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/plan.hpp"

namespace gpuhost {

/// What the approved plan lets a run do: no step of a later round or phase goes beyond it.
class Bounds {
 public:
  explicit Bounds(const Plan& approved);

  /// Why a step may not run, for each that may not; empty if all may. After a reboot, what the approved plan
  /// found in sync may be put back, with what that rests on, if it stops nothing but services for a while:
  /// the reboot has taken it away, not the user. The policy holds as ever.
  [[nodiscard]] std::vector<std::string> exceeded_by(const Plan& plan, bool after_reboot) const;

  [[nodiscard]] Json to_json() const;
  /// Of `to_json`. Throws what Json throws for a value of another type.
  [[nodiscard]] static Bounds from(const Json& json);
  bool operator==(const Bounds&) const = default;

 private:
  struct Limit {
    std::set<std::string> actions;
    Disruption disruption = Disruption::none;
    std::set<std::string> affected;
    bool operator==(const Limit&) const = default;
  };
  Bounds() = default;
  [[nodiscard]] std::string excess(const Step& step) const;
  [[nodiscard]] bool puts_back(const Step& step) const;

  std::map<std::string, Limit> limits_;  ///< by address
  std::set<std::string> in_sync_;        ///< addresses
};

/// True if both plans rest on the same observation and do the same in the same order.
[[nodiscard]] bool same_plan(const Plan& a, const Plan& b);

}  // namespace gpuhost
