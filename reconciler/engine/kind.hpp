#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "engine/fact.hpp"
#include "engine/ownership.hpp"
#include "engine/policy.hpp"
#include "engine/scope.hpp"
#include "engine/step.hpp"
#include "host/host.hpp"

namespace gpuhost {

/// One managed field, held against the host. What `verify` prints, and what a plan has for every difference.
struct Finding {
  enum class Verdict {
    in_sync,
    differs,
    pending_reboot,  ///< staged as desired, true after the next boot
    unknown,
  };
  std::string address;
  Verdict verdict = Verdict::in_sync;
  Json desired;
  Json observed;            ///< null: absent; for boot-scoped fields {running, next_boot}
  std::string reason = {};  ///< for unknown: why, and what to do; else a remark
  /// For unknown: it would be readable with more permission (verify then ends with 77, else with 69).
  bool permission = false;
  /// What ownership knows the field by, where that is not its address: a GPU's PCI address in place of the
  /// name that the document gives it.
  std::string object = {};

  [[nodiscard]] const std::string& owned_as() const { return object.empty() ? address : object; }
};

[[nodiscard]] std::string_view to_string(Finding::Verdict verdict);

/// Something to tell the reader of the plan.
struct Note {
  enum class Severity { info, warning, error };
  Severity severity = Severity::info;
  std::string address;
  std::string message;
  std::string advice = {};
};

/// What is there and left as it is.
struct Unmanaged {
  std::string address;
  std::string note;
};

/// Something that stays so after all steps are done, and that `status` shows.
struct Condition {
  enum class Type {
    degraded,               ///< a part of what the document names is left out, as the document allows
    pending_guest_restart,  ///< a running guest has what the document says from its next start on
  };
  Type type = Type::degraded;
  std::string address;
  std::string message;
  /// It is not so any more once a step of the plan makes this true, for a moment at least.
  std::optional<Fact> ended_by = {};
};

/// "Degraded", "PendingGuestRestart": the names that `status` has for them.
[[nodiscard]] std::string_view to_string(Condition::Type type);

/// What one kind says about one round.
struct Proposal {
  std::vector<Step> steps;
  /// For a host that is as the document says: run when nothing else is left to do, shown before that. Nothing
  /// may need what they provide.
  std::vector<Step> when_in_sync = {};
  std::vector<Finding> findings;
  std::vector<Unmanaged> unmanaged;
  std::vector<Note> notes;
  /// Staged by an earlier run: what needs one of these lies in the next phase, and no step provides it.
  std::vector<Fact> true_at_next_boot = {};
  std::vector<Condition> conditions = {};
  /// Whom a reboot would hit who must not be hit now, each with what to do.
  std::vector<std::string> against_reboot = {};
};

/// One way to make a wanted fact true for as long as somebody needs it.
struct Offer {
  /// Facts that make the wanted one true, or that `acquire` needs: one for each holder of a GPU, say.
  std::vector<Fact> needs;
  /// Makes it true (and lists it in `provides`); undone by `release`. Both, or neither when `needs` alone
  /// suffice.
  std::optional<Step> acquire = {};
  std::optional<Step> release = {};
  /// What to do where the plan ends for good what `release` needs: "say what becomes of the guest".
  std::string otherwise = {};
};

/// What a kind saw of the host. Each kind has its own type behind it.
class Observation {
 public:
  virtual ~Observation() = default;
  /// For `observe`: what was seen, unknown parts as {"unknown": reason}.
  [[nodiscard]] virtual Json describe() const = 0;
};

/// What planning may know beside the observation. Values only: planning cannot touch the host.
struct PlanInput {
  std::string document;  ///< name of the document
  const Ownership& owned;
  const Policy& policy;
  bool running = true;  ///< HostView::running
};

/// One kind of managed thing, bound to what one document says of it. Implemented under kinds/.
class Kind {
 public:
  virtual ~Kind() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;

  [[nodiscard]] virtual Stage stage() const { return Stage::configuration; }

  /// Looks at the host. Never fails as a whole: a part that cannot be read is unknown, with the reason.
  [[nodiscard]] virtual std::unique_ptr<const Observation> observe(const HostView& host) const = 0;

  /// Compares, and proposes steps in no particular order. Pure.
  [[nodiscard]] virtual Proposal plan(const Observation& seen, const PlanInput& input) const = 0;

  /// Whether the fact is true now; nothing if it is not a fact of this kind.
  [[nodiscard]] virtual std::optional<Truth> holds(const Fact& fact, const Observation& seen) const;

  /// Ways to make a fact true that no step provides; none if it is not this kind's.
  [[nodiscard]] virtual std::vector<Offer> offer(const Fact& fact, const Observation& seen,
                                                 const PlanInput& input) const;

  /// What to tell the user who needs a fact of this kind that nothing provides; empty if there is nothing to
  /// say.
  [[nodiscard]] virtual std::string advice(const Fact& fact) const;

  /// Why a fact of this kind is not true now and nobody may make it so, with what to do: who holds a GPU,
  /// whose a guest is. Empty if there is nothing to say.
  [[nodiscard]] virtual std::string obstacle(const Fact& fact, const Observation& seen) const;

  /// Whether the action's goal is reached on the host as it is now. An error: it cannot be told.
  [[nodiscard]] virtual Result<bool> satisfied(const StepAction& action, const HostView& host) const = 0;

  /// What brings back what the action is about to change, as the host is now. Nothing: nothing can. An error:
  /// it cannot be told. Two looks yield equal values if and only if the action starts from the same state, so
  /// that it is a step's precondition as well.
  [[nodiscard]] virtual Result<std::optional<Undo>> undo_of(const StepAction& action,
                                                            const HostView& host) const = 0;

  /// Does it. Must be safe to run again after a crash. The executor reads back with satisfied().
  virtual Result<void> run(const StepAction& action, Host& host) const = 0;

  /// Writes down what was seen and will not be visible for ever, such as which GPU has which UUID. Called
  /// once, before the first step of a run. Writes nothing that is on record already.
  virtual Result<void> remember(const Observation& seen, Host& host) const;
};

/// Spares a kind the cast from Observation to its own State. `State` has `Json describe() const`.
template <class State>
class KindOver : public Kind {
 public:
  [[nodiscard]] std::unique_ptr<const Observation> observe(const HostView& host) const final {
    return std::make_unique<Seen>(look(host));
  }
  [[nodiscard]] Proposal plan(const Observation& seen, const PlanInput& input) const final {
    return plan_from(state_of(seen), input);
  }
  [[nodiscard]] std::optional<Truth> holds(const Fact& fact, const Observation& seen) const final {
    return holds_in(fact, state_of(seen));
  }
  [[nodiscard]] std::vector<Offer> offer(const Fact& fact, const Observation& seen,
                                         const PlanInput& input) const final {
    return offer_from(fact, state_of(seen), input);
  }
  [[nodiscard]] std::string obstacle(const Fact& fact, const Observation& seen) const final {
    return obstacle_in(fact, state_of(seen));
  }
  Result<void> remember(const Observation& seen, Host& host) const final {
    return remember_from(state_of(seen), host);
  }

 protected:
  [[nodiscard]] virtual State look(const HostView& host) const = 0;
  [[nodiscard]] virtual Proposal plan_from(const State& state, const PlanInput& input) const = 0;
  [[nodiscard]] virtual std::optional<Truth> holds_in(const Fact&, const State&) const {
    return std::nullopt;
  }
  [[nodiscard]] virtual std::vector<Offer> offer_from(const Fact&, const State&, const PlanInput&) const {
    return {};
  }
  [[nodiscard]] virtual std::string obstacle_in(const Fact&, const State&) const { return {}; }
  virtual Result<void> remember_from(const State&, Host&) const { return {}; }

 private:
  struct Seen final : Observation {
    explicit Seen(State seen) : state(std::move(seen)) {}
    [[nodiscard]] Json describe() const override { return state.describe(); }
    State state;
  };
  static const State& state_of(const Observation& seen) { return static_cast<const Seen&>(seen).state; }
};

}  // namespace gpuhost
