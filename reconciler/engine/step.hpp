#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "engine/disruption.hpp"
#include "engine/fact.hpp"

namespace gpuhost {

/// What a step does, as a value: the kind turns it into calls. Two equal actions are the same work.
struct StepAction {
  std::string kind;     ///< the kind that can run it
  std::string verb;     ///< the kind's own word
  std::string address;  ///< the object, as in the plan: "kernel.modules[nouveau]"
  Json arguments;
  bool operator==(const StepAction&) const = default;
};

/// How a step is undone, taken from the host just before the step changes it: another action of the same
/// kind, which brings back what is there now.
struct Undo {
  StepAction action;
  /// What running it does to somebody. None where it takes away what the step has just made: it has no user.
  Disruption disruption = Disruption::none;
  bool operator==(const Undo&) const = default;
};

enum class ActionReason { desired_changed, drift, prerequisite, removed_from_desired };
enum class Reversible { exact, best_effort, none };

[[nodiscard]] std::string_view to_string(ActionReason reason);
[[nodiscard]] std::string_view to_string(Reversible reversible);

/// Somebody who notices a step.
struct Affected {
  std::string type;  ///< vm, unit, process
  std::string name;
  std::optional<int> pid = {};
  bool operator==(const Affected&) const = default;
};

/// That the document owns an object from now on: `before` is what to give back, `applied` what it was set to.
/// When the object is owned already, the recorded `before` stays.
struct Claim {
  std::string address;
  Json before;
  Json applied;
};

/// One change of the host. Data only, so that it can be shown, compared, stored, and tested without a host.
struct Step {
  StepAction action;
  std::vector<std::string> actions;  ///< create, update, delete, load, start, stop, check …
  std::string title;                 ///< "load module vfio_pci": as in a plan
  std::string progress;              ///< "loading module vfio_pci": while it runs
  Json before;                       ///< null: absent
  Json after;
  Json after_unknown = {};       ///< names in `after` that only running can tell
  std::string explanation = {};  ///< why the step exists, if `before` and `after` do not say it

  /// True when observed: the step comes before every step that ends it (teardown).
  std::vector<Fact> needs_now = {};
  /// True when the step runs: it comes after the step that provides it, or inside a bracket that does
  /// (build-up).
  std::vector<Fact> needs = {};
  std::vector<Fact> provides = {};
  std::vector<Fact> ends = {};
  /// Staged by this step, true only after the next boot: what needs it lies in the next phase.
  std::vector<Fact> provides_at_boot = {};

  Disruption disruption = Disruption::none;
  std::vector<Affected> affects = {};
  Reversible reversible = Reversible::exact;
  /// What the step must be alone in while it runs: "boot loader", "gpu/0000:41:00.0".
  std::vector<std::string> lanes = {};
  /// Why it cannot run, each with what to do, as far as the kind knows; the planner and the policy add
  /// theirs.
  std::vector<std::string> blocked_by = {};
  ActionReason reason = ActionReason::desired_changed;
  bool foreign = false;  ///< removes what gpuhost did not make
  bool provisional =
      false;  ///< rests on what an earlier step creates: shown, then planned anew, never run as it is
  /// Only checks that the host is as it must be; changes nothing.
  bool check_only = false;
  /// What it makes follows from what the steps before it have set, as grub.cfg does: undone by making it
  /// again once they are undone.
  bool derived = false;

  std::optional<Claim> claims = {};
  std::optional<std::string> gives_back = {};  ///< the owned object that is no longer owned after this step
};

}  // namespace gpuhost
