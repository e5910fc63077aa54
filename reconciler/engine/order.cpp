#include "engine/order.hpp"

#include <algorithm>
#include <ranges>
#include <set>
#include <tuple>
#include <utility>

#include <fmt/format.h>

namespace gpuhost {

namespace {

using Index = std::size_t;

/// Topological order by always taking the least ready step.
class Sorter {
 public:
  explicit Sorter(std::vector<Draft>& drafts)
      : drafts_(drafts), followers_(drafts.size()), open_(drafts.size()) {
    for (Index i = 0; i < drafts_.size(); ++i) {
      for (const auto before : drafts_[i].after) followers_[before].push_back(i);
      for (const auto before : drafts_[i].after_boot) followers_[before].push_back(i);
      open_[i] = drafts_[i].after.size() + drafts_[i].after_boot.size();
      if (open_[i] == 0) ready_.insert(key(i));
    }
  }

  std::vector<Index> run() {
    std::vector<Index> order;
    while (order.size() < drafts_.size()) {
      if (ready_.empty()) break_cycle();
      const Index next = std::get<5>(*ready_.begin());
      ready_.erase(ready_.begin());
      order.push_back(next);
      for (const auto follower : followers_[next]) settle(follower, next);
    }
    // What a later phase holds must not be shown before what an earlier one does.
    std::ranges::stable_sort(order, {}, [&](Index i) { return drafts_[i].phase; });
    return order;
  }

 private:
  using Key = std::tuple<Index, bool, Index, std::string, std::string, Index>;

  [[nodiscard]] Key key(Index i) const {
    const auto& draft = drafts_[i];
    return {
        draft.phase, draft.step.check_only, draft.rank, draft.step.action.address, draft.step.action.verb, i};
  }

  void settle(Index follower, Index done) {
    const bool needs_boot = drafts_[follower].after_boot.contains(done);
    auto& phase = drafts_[follower].phase;
    phase = std::max(phase, drafts_[done].phase + (needs_boot ? 1 : 0));
    if (--open_[follower] == 0) ready_.insert(key(follower));
  }

  [[nodiscard]] bool is_open(Index i) const { return open_[i] > 0; }

  /// Follows open predecessors until a step comes again, names the steps between, and lets them all go.
  void break_cycle() {
    Index at = 0;
    while (!is_open(at)) ++at;
    std::vector<Index> path;
    while (std::ranges::find(path, at) == path.end()) {
      path.push_back(at);
      at = open_predecessor(at);
    }
    path.erase(path.begin(), std::ranges::find(path, at));
    std::ranges::reverse(path);
    std::string names = drafts_[path.back()].step.title;
    for (const auto i : path) names += " -> " + drafts_[i].step.title;
    for (const auto i : path) {
      drafts_[i].step.blocked_by.push_back(fmt::format("these steps wait for each other: {}", names));
      release_from(i);
    }
  }

  [[nodiscard]] Index open_predecessor(Index i) const {
    for (const auto* before : {&drafts_[i].after, &drafts_[i].after_boot})
      for (const auto candidate : *before)
        if (is_open(candidate)) return candidate;
    std::unreachable();  // an open step waits for an open one, or it would be ready
  }

  /// Forgets what the step waits for, so that the rest can be put in an order to show.
  void release_from(Index i) {
    open_[i] = 0;
    for (auto* before : {&drafts_[i].after, &drafts_[i].after_boot}) {
      for (const auto candidate : *before) std::erase(followers_[candidate], i);
      before->clear();
    }
    ready_.insert(key(i));
  }

  std::vector<Draft>& drafts_;
  std::vector<std::vector<Index>> followers_;
  std::vector<Index> open_;  ///< how many predecessors are not placed yet
  std::set<Key> ready_;
};

/// Moves what opens a bracket to the phase of its first user, so that nothing is held over a reboot that
/// comes before. True if something moved.
bool bring_to_users(std::vector<Draft>& drafts, const std::vector<Bracket>& brackets) {
  bool moved = false;
  for (const auto& bracket : brackets) {
    if (bracket.users.empty()) continue;
    const auto phase_of = [&](Index user) { return drafts[user].phase; };
    const Index first = std::ranges::min(bracket.users | std::views::transform(phase_of));
    if (drafts[bracket.acquire].phase >= first) continue;
    drafts[bracket.acquire].phase = first;
    moved = true;
  }
  return moved;
}

}  // namespace

std::vector<PlannedStep> in_order(std::vector<Draft> drafts, const std::vector<Bracket>& brackets) {
  auto order = Sorter(drafts).run();
  while (bring_to_users(drafts, brackets)) order = Sorter(drafts).run();
  std::vector<Index> place(drafts.size());
  for (Index position = 0; position < order.size(); ++position) place[order[position]] = position;

  std::vector<PlannedStep> steps;
  steps.reserve(drafts.size());
  for (const auto i : order) {
    auto& draft = drafts[i];
    PlannedStep planned{
        .id = fmt::format("s{}", steps.size() + 1), .step = std::move(draft.step), .phase = draft.phase};
    for (const auto* before : {&draft.after, &draft.after_boot})
      for (const auto predecessor : *before) planned.after.push_back(place[predecessor]);
    std::ranges::sort(planned.after);
    steps.push_back(std::move(planned));
  }
  for (const auto& bracket : brackets) steps[place[bracket.release]].releases = place[bracket.acquire];
  return steps;
}

std::vector<Phase> phases_of(const std::vector<PlannedStep>& steps) {
  std::vector<Phase> phases;
  for (Index i = 0; i < steps.size(); ++i) {
    const auto& planned = steps[i];
    if (planned.phase >= phases.size()) {
      if (!phases.empty()) phases.back().reboot_after = true;
      phases.resize(planned.phase + 1, Phase{.reboot_after = true, .steps = {}});
      phases.back().reboot_after = false;
    }
    phases[planned.phase].steps.push_back(i);
    if (!planned.step.provides_at_boot.empty()) phases[planned.phase].reboot_after = true;
  }
  return phases;
}

}  // namespace gpuhost
