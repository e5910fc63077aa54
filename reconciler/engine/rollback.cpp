#include "engine/rollback.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "engine/checks.hpp"

namespace gpuhost {

namespace {

using Index = std::size_t;

class Rollback {
 public:
  explicit Rollback(RunContext& run) : run_(run), steps_(run.journal.steps()) {}

  RollbackReport execute() {
    for (Index i = steps_.size(); i-- > 0;)
      if (is_open(i) && !steps_[i].derived) undo(i);
    make_derived_again();
    if (!holding_.empty()) owe_again();
    for (const auto& [i, why] : holding_) {
      report_.held.push_back(steps_[i].title);
      report_.errors.push_back(fmt::format("{}: {}", steps_[i].action.address, why));
    }
    return std::move(report_);
  }

 private:
  [[nodiscard]] bool is_open(Index i) const { return steps_[i].state != StepRecord::State::undone; }

  void undo(Index i) {
    if (auto why = reason_to_keep(i); !why.empty()) return keep(i, std::move(why));
    if (auto why = too_disruptive(steps_[i]); !why.empty() && !is_as_before(steps_[i]))
      return keep(i, std::move(why));
    if (auto undone = bring_back(steps_[i]); !undone) {
      report_.retryable |= undone.error().retryable();
      return keep(i, undone.error().sentence());
    }
    finish(i);
  }

  /// Why it has to stay although it could be tried; empty if it need not.
  [[nodiscard]] std::string reason_to_keep(Index i) const {
    const auto& step = steps_[i];
    if (const auto user = users_.find(i); user != users_.end())
      return fmt::format("'{}' rests on it and holds", steps_[user->second].title);
    for (const auto& lane : step.lanes)
      if (const auto user = held_lanes_.find(lane); user != held_lanes_.end())
        return fmt::format("'{}' came after it and holds", steps_[user->second].title);
    if (!step.undo) return "nothing can undo it";
    const auto abandoned = load_abandoned_writes(run_.host.view.files);
    for (const auto& write : abandoned ? *abandoned : AbandonedWrites{})
      if (concerns(step.action, step.lanes, write.device)) return write.sentence();
    return {};
  }

  /// Empty: it is not.
  [[nodiscard]] std::string too_disruptive(const StepRecord& step) const {
    if (step.undo->disruption <= run_.journal.header().allowed) return {};
    return fmt::format("undoing it needs disruption {}, the plan showed at most {}",
                       to_string(step.undo->disruption), to_string(run_.journal.header().allowed));
  }

  /// A step that failed may have changed nothing, and what it disturbs may have ended by itself.
  [[nodiscard]] bool is_as_before(const StepRecord& step) const {
    const auto kind = run_.kind_of(step.undo->action);
    return kind && (*kind)->satisfied(step.undo->action, run_.host.view).value_or(false);
  }

  Result<void> bring_back(const StepRecord& step) {
    const auto acted = run_.bring_about(step.undo->action);
    if (!acted) return std::unexpected(acted.error());
    report_.acted |= *acted;
    if (!step.owned) return {};
    auto next = run_.owned;
    next.restore(run_.document, step.owned->address, step.owned->before);
    return run_.store(std::move(next));
  }

  void keep(Index i, std::string why) {
    run_.reporter.not_undone(steps_[i], why);
    for (const auto& lane : steps_[i].lanes) held_lanes_.try_emplace(lane, i);
    for (const auto before : steps_[i].after) users_.try_emplace(before, i);
    holding_.emplace(i, std::move(why));
  }

  void finish(Index i) {
    // It is undone whether that can be written down or not, and undoing it again does no harm.
    (void)run_.journal.end(i, StepRecord::State::undone, run_.host.files);
    report_.undone.push_back(steps_[i].title);
    run_.reporter.undone(steps_[i]);
  }

  /// What was started again was stopped to undo what came before it; where that holds, it is to run all the
  /// same.
  void owe_again() {
    const auto& owed = run_.journal.obligations();
    for (Index i = 0; i < owed.size(); ++i) {
      const auto step = std::ranges::find(steps_, owed[i].action, &StepRecord::action);
      if (step != steps_.end() && step->state == StepRecord::State::undone) run_.journal.owe_again(i);
    }
  }

  /// Of several that make the same thing, the first knows what it was before all of them.
  void make_derived_again() {
    std::map<std::pair<std::string, std::string>, Index> made;
    for (Index i = 0; i < steps_.size(); ++i) {
      if (!is_open(i) || !steps_[i].derived) continue;
      const auto [first, is_new] = made.try_emplace({steps_[i].action.address, steps_[i].action.verb}, i);
      if (is_new)
        undo_derived(i);
      else if (const auto kept = holding_.find(first->second); kept != holding_.end())
        keep(i, std::string(kept->second));
      else
        finish(i);
    }
  }

  /// What it is made of may hold in part; it is made again all the same, so that it agrees with that.
  void undo_derived(Index i) {
    const auto& step = steps_[i];
    const auto part =
        std::ranges::find_if(step.after, [&](Index before) { return holding_.contains(before); });
    report_.acted = true;
    auto made = make_again(step);
    if (part != step.after.end())
      return keep(i, fmt::format("it was made again, with what '{}' has left", steps_[*part].title));
    if (made) return finish(i);
    report_.retryable |= made.error().retryable();
    keep(i, made.error().sentence());
  }

  /// Runs it whatever it reads: that may not tell what it is made of.
  Result<void> make_again(const StepRecord& step) {
    if (!step.undo) return fail(ErrorKind::unsupported, "nothing can undo it");
    const auto kind = run_.kind_of(step.undo->action);
    if (!kind) return std::unexpected(kind.error());
    auto ran = (*kind)->run(step.undo->action, run_.host);
    const auto as_before = (*kind)->satisfied(step.undo->action, run_.host.view);
    if (!as_before) return std::unexpected(as_before.error());
    if (*as_before) return {};  // also where it could not be made again, and so was not made before
    if (!ran) return ran;
    return fail(ErrorKind::mismatch, "it was made again and is not as it was before",
                "it was not made from what it is made from now");
  }

  RunContext& run_;
  const std::vector<StepRecord>& steps_;
  RollbackReport report_;
  std::map<Index, std::string> holding_;     ///< record to why it holds
  std::map<std::string, Index> held_lanes_;  ///< lane to the record that holds in it
  std::map<Index, Index> users_;             ///< record to one that rests on it and holds
};

}  // namespace

RollbackReport roll_back(RunContext& run) {
  return Rollback(run).execute();
}

}  // namespace gpuhost
