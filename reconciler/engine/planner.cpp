#include "engine/planner.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "engine/checks.hpp"
#include "engine/linker.hpp"
#include "engine/order.hpp"

namespace gpuhost {

namespace {

template <class T>
void append(std::vector<T>& all, std::vector<T>&& more) {
  std::ranges::move(more, std::back_inserter(all));
}

Note note_of_scope(const Kinds& kinds, Scope scope) {
  std::vector<std::string> outside;
  for (const auto& kind : kinds)
    if (!contains(scope, kind->stage())) outside.emplace_back(kind->name());
  return {Note::Severity::info,
          {},
          fmt::format("outside the scope '{}', neither compared nor changed: {}", to_string(scope),
                      join(outside, ", "))};
}

/// Steps for a host that is as the document says: alone they run; beside others, or before a boot that brings
/// it there, they are shown and planned anew; where nothing will, they are left out.
class InSyncSteps {
 public:
  void add(std::vector<Step> steps, std::size_t rank) {
    for (auto& step : steps) steps_.emplace_back(std::move(step), rank);
  }

  void move_into(Linker& linker, const std::vector<Finding>& findings) {
    const auto any = [&](auto differs) {
      return std::ranges::any_of(findings, [&](const Finding& found) {
        const bool own = std::ranges::any_of(
            steps_, [&](const auto& one) { return one.first.action.address == found.address; });
        return !own && differs(found.verdict);
      });
    };
    using Verdict = Finding::Verdict;
    const bool later =
        !linker.drafts().empty() || any([](Verdict v) { return v == Verdict::pending_reboot; });
    if (!later && any([](Verdict v) { return v != Verdict::in_sync; })) return;
    for (auto& [step, rank] : steps_) {
      step.provisional = later;
      places_.push_back(linker.drafts().size());
      linker.add(std::move(step), rank);
    }
  }

  /// After the steps that no other comes after, and so after all.
  void put_last(std::vector<Draft>& drafts) const {
    std::vector<bool> followed(drafts.size());
    for (const auto& draft : drafts) {
      for (const auto before : draft.after) followed[before] = true;
      for (const auto before : draft.after_boot) followed[before] = true;
    }
    for (const auto place : places_)
      for (std::size_t other = 0; other < drafts.size(); ++other)
        if (!followed[other] && std::ranges::find(places_, other) == places_.end())
          drafts[place].after.insert(other);
  }

 private:
  std::vector<std::pair<Step, std::size_t>> steps_;
  std::vector<std::size_t> places_;
};

/// What the plan itself brings to an end does not stay so after it.
void drop_ended(Plan& plan) {
  std::erase_if(plan.conditions, [&](const Condition& condition) {
    return condition.ended_by && std::ranges::any_of(plan.steps, [&](const PlannedStep& planned) {
             const auto& provided = planned.step.provides;
             return std::ranges::find(provided, *condition.ended_by) != provided.end();
           });
  });
}

void mark_pending(Plan& plan) {
  const bool pending = std::ranges::any_of(
      plan.findings, [](const Finding& f) { return f.verdict == Finding::Verdict::pending_reboot; });
  if (!pending) return;
  if (plan.phases.empty()) plan.phases.emplace_back();
  plan.phases.front().reboot_after = true;
}

}  // namespace

Observations observe_all(const Kinds& kinds, const HostView& host) {
  Observations seen;
  seen.reserve(kinds.size());
  RoundMemo own;
  HostView shared = host;
  if (shared.memo == nullptr) shared.memo = &own;
  for (const auto& kind : kinds) seen.push_back(kind->observe(shared));
  return seen;
}

Plan make_plan(const Kinds& kinds, const Observations& seen, const PlanContext& context) {
  Plan plan{.host = context.host, .document = context.document, .document_sha256 = context.document_sha256};
  plan.allowed = context.policy.disruption;
  plan.scope = context.scope;
  if (context.scope != Scope::all) plan.notes.push_back(note_of_scope(kinds, context.scope));
  const PlanInput input{context.document, context.owned, context.policy, context.running};

  std::vector<std::string> against_reboot;
  InSyncSteps last;
  Linker linker(kinds, seen, input);
  for (std::size_t rank = 0; rank < kinds.size(); ++rank) {
    if (!contains(context.scope, kinds[rank]->stage())) continue;
    auto proposal = kinds[rank]->plan(*seen[rank], input);
    for (auto& step : proposal.steps)
      if (std::ranges::find(context.owed, step.action) == context.owed.end())
        linker.add(std::move(step), rank);
    last.add(std::move(proposal.when_in_sync), rank);
    linker.add_staged(proposal.true_at_next_boot);
    append(plan.findings, std::move(proposal.findings));
    append(plan.unmanaged, std::move(proposal.unmanaged));
    append(plan.notes, std::move(proposal.notes));
    append(plan.conditions, std::move(proposal.conditions));
    append(against_reboot, std::move(proposal.against_reboot));
  }
  std::ranges::stable_sort(plan.findings, {}, &Finding::address);
  last.move_into(linker, plan.findings);
  linker.link();
  last.put_last(linker.drafts());
  plan.facts = linker.consulted();

  plan.steps = in_order(std::move(linker.drafts()), linker.brackets());
  check_allowed(plan.steps, context.document, context.policy, context.owned);
  check_owners(plan, context.owned);
  check_abandoned(plan, context.abandoned);
  spread_blocks(plan.steps);
  drop_ended(plan);
  explain_reasons(plan.steps, context.document, context.owned);
  plan.drift = drift_of(plan.findings, context.document, context.owned);
  plan.phases = phases_of(plan.steps);
  mark_pending(plan);
  if (plan.reboot_required() && context.policy.disruption >= Disruption::reboot)
    for (auto& why : against_reboot)
      plan.notes.push_back({Note::Severity::warning, reboot_address, std::move(why)});
  plan.complete = std::ranges::none_of(
      plan.findings, [](const Finding& f) { return f.verdict == Finding::Verdict::unknown; });
  return plan;
}

}  // namespace gpuhost
