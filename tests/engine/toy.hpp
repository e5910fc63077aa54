#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "engine/kind.hpp"
#include "engine/reconcile.hpp"
#include "engine/reporter.hpp"
#include "support/memory_host.hpp"
#include "support/plan_titles.hpp"

namespace gpuhost::testing {

/// A world that is nothing but facts. Toy steps make true what they provide and false what they end.
struct ToyWorld {
  std::mutex mutex;
  std::set<Fact> facts;
  std::vector<std::string> log;          ///< titles of the steps that ran, in order
  std::map<std::string, Error> failing;  ///< steps that fail, by title
  std::set<Fact> at_boot;                ///< staged: true after reboot()
  std::set<std::string> final;           ///< steps that nothing can undo, by title
  Disruption undo_disruption = Disruption::none;
  std::function<void(const Step&)> during;  ///< called while a step runs, without the lock

  void reboot() {
    facts.merge(at_boot);
    at_boot.clear();
  }
  [[nodiscard]] bool has(const Fact& fact) {
    const std::lock_guard lock(mutex);
    return facts.contains(fact);
  }
};

/// A kind made of functions, answering for the subjects that start with its prefix.
class ToyKind final : public Kind {
 public:
  using Facts = std::set<Fact>;

  ToyKind(std::string name, std::shared_ptr<ToyWorld> world)
      : name_(std::move(name)), world_(std::move(world)) {}

  std::function<std::vector<Step>(const Facts&)> steps = [](const Facts&) { return std::vector<Step>{}; };
  std::function<std::vector<Offer>(const Fact&)> offers = [](const Fact&) { return std::vector<Offer>{}; };
  std::map<Fact, std::string> unknown;
  std::string hint;
  std::vector<Finding> findings;
  std::vector<Condition> conditions;
  std::vector<Step> when_in_sync;
  std::map<Fact, std::string> obstacles;
  std::optional<Error> forgets;  ///< why remember() fails
  Stage lies = Stage::configuration;
  mutable unsigned remembered = 0;

  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] Stage stage() const override { return lies; }
  [[nodiscard]] std::unique_ptr<const Observation> observe(const HostView&) const override {
    const std::lock_guard lock(world_->mutex);
    return std::make_unique<Seen>(world_->facts);
  }
  [[nodiscard]] Proposal plan(const Observation& seen, const PlanInput&) const override {
    Proposal proposal;
    proposal.findings = findings;
    proposal.conditions = conditions;
    for (const auto& step : when_in_sync) proposal.when_in_sync.push_back(own(step));
    // As every kind does: what is staged already is not staged again, but waits for the reboot.
    const auto staged = [&](const Fact& fact) {
      const std::lock_guard lock(world_->mutex);
      return world_->at_boot.contains(fact);
    };
    for (auto& step : steps(facts_of(seen)))
      if (!step.provides_at_boot.empty() && std::ranges::all_of(step.provides_at_boot, staged))
        proposal.findings.push_back({.address = step.title, .verdict = Finding::Verdict::pending_reboot});
      else
        proposal.steps.push_back(own(step));
    const std::lock_guard lock(world_->mutex);
    proposal.true_at_next_boot.assign(world_->at_boot.begin(), world_->at_boot.end());
    return proposal;
  }
  [[nodiscard]] std::optional<Truth> holds(const Fact& fact, const Observation& seen) const override {
    if (const auto why = unknown.find(fact); why != unknown.end()) return Truth::unknown(why->second);
    if (!fact.subject.starts_with(name_ + "/")) return std::nullopt;
    return Truth::of(facts_of(seen).contains(fact));
  }
  [[nodiscard]] std::vector<Offer> offer(const Fact& fact, const Observation&,
                                         const PlanInput&) const override {
    auto made = offers(fact);
    for (auto& offer : made) {
      if (offer.acquire) offer.acquire = own(*offer.acquire);
      if (offer.release) offer.release = own(*offer.release);
    }
    return made;
  }
  [[nodiscard]] std::string advice(const Fact& fact) const override {
    return fact.subject.starts_with(name_ + "/") ? hint : std::string();
  }
  [[nodiscard]] std::string obstacle(const Fact& fact, const Observation&) const override {
    const auto found = obstacles.find(fact);
    return found == obstacles.end() ? std::string() : found->second;
  }
  Result<void> remember(const Observation&, Host&) const override {
    ++remembered;
    if (forgets) return std::unexpected(*forgets);
    return {};
  }
  [[nodiscard]] Result<bool> satisfied(const StepAction& action, const HostView&) const override {
    if (action.verb == "undo") {
      const std::lock_guard lock(world_->mutex);
      return std::ranges::all_of(action.arguments.at("truths"), [&](const Json& truth) {
        return world_->facts.contains({truth[0], truth[1]}) == truth[2].get<bool>();
      });
    }
    const Step& step = known(action);
    const std::lock_guard lock(world_->mutex);
    const auto has = [&](const Fact& fact) { return world_->facts.contains(fact); };
    const auto staged = [&](const Fact& fact) { return has(fact) || world_->at_boot.contains(fact); };
    return std::ranges::all_of(step.provides, has) && std::ranges::none_of(step.ends, has) &&
           std::ranges::all_of(step.provides_at_boot, staged);
  }
  [[nodiscard]] Result<std::optional<Undo>> undo_of(const StepAction& action,
                                                    const HostView&) const override {
    const Step& step = known(action);
    const std::lock_guard lock(world_->mutex);
    if (world_->final.contains(step.title)) return std::nullopt;
    Json truths = Json::array();
    for (const auto* facts : {&step.provides, &step.ends})
      for (const auto& fact : *facts)
        truths.push_back({fact.subject, fact.state, world_->facts.contains(fact)});
    return Undo{{name_, "undo", action.address, {{"truths", truths}, {"title", step.title}}},
                world_->undo_disruption};
  }
  Result<void> run(const StepAction& action, Host&) const override {
    if (action.verb == "undo") return undo(action);
    const Step& step = known(action);
    if (world_->during) world_->during(step);
    const std::lock_guard lock(world_->mutex);
    world_->log.push_back(step.title);
    if (const auto failing = world_->failing.find(step.title); failing != world_->failing.end())
      return std::unexpected(failing->second);
    for (const auto& fact : step.ends) world_->facts.erase(fact);
    if (!step.provides.empty() && step.provides != step.ends)
      world_->facts.insert(step.provides.begin(), step.provides.end());
    world_->at_boot.insert(step.provides_at_boot.begin(), step.provides_at_boot.end());
    return {};
  }

 private:
  struct Seen final : Observation {
    explicit Seen(Facts seen) : facts(std::move(seen)) {}
    [[nodiscard]] Json describe() const override { return facts.size(); }
    Facts facts;
  };
  static const Facts& facts_of(const Observation& seen) { return static_cast<const Seen&>(seen).facts; }

  Result<void> undo(const StepAction& action) const {
    const auto title = "undo " + action.arguments.at("title").get<std::string>();
    const std::lock_guard lock(world_->mutex);
    world_->log.push_back(title);
    if (const auto failing = world_->failing.find(title); failing != world_->failing.end())
      return std::unexpected(failing->second);
    for (const auto& truth : action.arguments.at("truths"))
      if (truth[2].get<bool>())
        world_->facts.insert({truth[0], truth[1]});
      else
        world_->facts.erase({truth[0], truth[1]});
    return {};
  }

  /// Fills in the action, and remembers the step so that the action can be run.
  Step own(Step step) const {
    step.action.kind = name_;
    step.action.verb = "toy";
    if (step.action.address.empty()) step.action.address = step.title;
    if (step.actions.empty()) step.actions = {"update"};
    step.progress = step.title;
    const std::lock_guard lock(world_->mutex);
    steps_.insert_or_assign(step.action.address, step);
    return step;
  }
  const Step& known(const StepAction& action) const {
    const std::lock_guard lock(world_->mutex);
    return steps_.at(action.address);
  }

  std::string name_;
  std::shared_ptr<ToyWorld> world_;
  mutable std::map<std::string, Step> steps_;
};

/// Notes what a run reports.
class ReportLog : public Reporter {
 public:
  std::vector<std::string> lines;
  void planned(const Plan& plan, unsigned round) override {
    lines.push_back("planned " + std::to_string(round) + ": " + std::to_string(plan.steps.size()));
  }
  void started(const PlannedStep& step) override { lines.push_back("started " + step.step.title); }
  void finished(const PlannedStep& step, Outcome) override { lines.push_back("finished " + step.step.title); }
  void errored(const PlannedStep& step, const Error&) override {
    lines.push_back("errored " + step.step.title);
  }
  void rollback_started() override { lines.push_back("undoing"); }
  void undone(const StepRecord& step) override { lines.push_back("undone " + step.title); }
  void not_undone(const StepRecord& step, const std::string& why) override {
    lines.push_back("holds " + step.title + ": " + why);
  }
  void rollback_ended(bool complete) override { lines.push_back(complete ? "as before" : "not as before"); }
  void barrier(const Plan&, bool rebooting) override {
    lines.push_back(rebooting ? "rebooting" : "reboot needed");
  }
  void verified(const Plan&) override { lines.push_back("verified"); }
};

/// A document of toy kinds on a host without anything.
struct ToyBench {
  std::shared_ptr<ToyWorld> world = std::make_shared<ToyWorld>();
  Desired desired{.name = "toy", .sha256 = "0", .policy = {}, .kinds = {}};
  MemoryHost host;
  ReportLog log;

  ToyKind& kind(const std::string& name) {
    auto made = std::make_unique<ToyKind>(name, world);
    auto& reference = *made;
    desired.kinds.push_back(std::move(made));
    return reference;
  }
  Plan plan() {
    auto made = plan_once(desired, host.host().view);
    return made ? *std::move(made) : Plan{};
  }
  Result<RunReport> run(RunOptions options = {.executor = {.workers = 1}}) {
    auto whole = host.host();
    return reconcile(desired, plan(), whole, log, options);
  }
};

/// A step that needs and provides.
inline Step toy(std::string title, std::vector<Fact> needs, Fact provides) {
  return {.title = std::move(title), .needs = std::move(needs), .provides = {std::move(provides)}};
}

/// Proposes only what is not there yet, as every kind does.
inline std::function<std::vector<Step>(const ToyKind::Facts&)> until_there(std::vector<Step> all) {
  return [all = std::move(all)](const ToyKind::Facts& seen) {
    std::vector<Step> left;
    for (const auto& step : all)
      if (!std::ranges::all_of(step.provides, [&](const Fact& fact) { return seen.contains(fact); }))
        left.push_back(step);
    return left;
  };
}

inline const PlannedStep& step_named(const Plan& plan, const std::string& title) {
  for (const auto& planned : plan.steps)
    if (planned.step.title == title) return planned;
  throw std::out_of_range("no step " + title);
}

}  // namespace gpuhost::testing
