#include "engine/step.hpp"

#include <utility>

namespace gpuhost {

std::string_view to_string(ActionReason reason) {
  switch (reason) {
    case ActionReason::desired_changed:
      return "desired_changed";
    case ActionReason::drift:
      return "drift";
    case ActionReason::prerequisite:
      return "prerequisite";
    case ActionReason::removed_from_desired:
      return "removed_from_desired";
  }
  std::unreachable();
}

std::string_view to_string(Reversible reversible) {
  switch (reversible) {
    case Reversible::exact:
      return "exact";
    case Reversible::best_effort:
      return "best-effort";
    case Reversible::none:
      return "none";
  }
  std::unreachable();
}

}  // namespace gpuhost
