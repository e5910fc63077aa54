#include "engine/linker.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

namespace gpuhost {

void Linker::add(Step step, std::size_t rank) {
  for (const auto& fact : step.provides) provided_by_[fact].push_back(drafts_.size());
  add_lending(std::move(step), rank);
}

void Linker::add_lending(Step step, std::size_t rank) {
  const std::size_t index = drafts_.size();
  for (const auto& fact : step.provides_at_boot) provided_at_boot_by_[fact].push_back(index);
  for (const auto& fact : step.ends) ended_by_[fact].push_back(index);
  for (const auto& fact : step.needs) needed_by_[fact].push_back(index);
  drafts_.push_back({.step = std::move(step), .rank = rank});
}

void Linker::add_staged(const std::vector<Fact>& facts) {
  staged_.insert(facts.begin(), facts.end());
}

void Linker::link() {
  // Brackets add steps, whose own needs are met in the same way: the list grows while it is gone through.
  for (std::size_t user = 0; user < drafts_.size(); ++user) {
    const auto needs = drafts_[user].step.needs;  // a copy: drafts_ may move
    for (const auto& need : needs) resolve(need, user);
  }
  for (std::size_t step = 0; step < drafts_.size(); ++step) order_teardown(step);
  order_ends();
  nest_brackets();
}

std::map<std::string, std::string> Linker::consulted() const {
  std::map<std::string, std::string> answers;
  for (const auto& [fact, truth] : truths_) answers[fact.to_string()] = to_string(truth.value);
  return answers;
}

const Truth& Linker::truth(const Fact& fact) {
  if (const auto known = truths_.find(fact); known != truths_.end()) return known->second;
  Truth answer;
  for (std::size_t rank = 0; rank < kinds_.size(); ++rank)
    if (auto told = kinds_[rank]->holds(fact, *seen_[rank])) {
      answer = *std::move(told);
      break;
    }
  return truths_.emplace(fact, std::move(answer)).first->second;
}

Linker::Steps Linker::others(const Index& index, const Fact& fact, std::size_t user) {
  Steps found;
  if (const auto named = index.find(fact); named != index.end())
    std::ranges::copy_if(named->second, std::back_inserter(found), [&](auto step) { return step != user; });
  return found;
}

void Linker::resolve(const Fact& need, std::size_t user) {
  if (const auto found = others(provided_by_, need, user); !found.empty()) {
    drafts_[user].after.insert(found.begin(), found.end());
    return;
  }
  if (const auto found = others(provided_at_boot_by_, need, user); !found.empty()) {
    drafts_[user].after_boot.insert(found.begin(), found.end());
    return;
  }
  if (staged_.contains(need)) {
    drafts_[user].phase = std::max<std::size_t>(drafts_[user].phase, 1);
    return;
  }
  const Truth& now = truth(need);
  switch (now.value) {
    case Truth::Value::yes:
      for (const auto ender : others(ended_by_, need, user))
        block(user, fmt::format("after \"{}\" it is no longer so that {}, and nothing makes it so again{}",
                                drafts_[ender].step.title, need.sentence(), way_out(user)));
      return;
    case Truth::Value::unknown:
      block(user, fmt::format("cannot tell whether {}: {}", need.sentence(), now.reason));
      return;
    case Truth::Value::no:
      bracket_for(need, user);
      return;
  }
}

void Linker::bracket_for(const Fact& need, std::size_t user) {
  if (const auto way = best_way(need, {need})) {
    use(*way, need, user);
    return;
  }
  for (auto& why : reasons_against(need, {})) block(user, std::move(why));
}

/// What lies at the bottom: of a GPU that is held, say, the one holder who may not be stopped.
std::vector<std::string> Linker::reasons_against(const Fact& need, std::set<Fact> asked) {
  asked.insert(need);
  std::vector<std::string> reasons;
  const auto ask = [&](const std::vector<Fact>& needs) {
    for (const auto& deeper : needs) {
      Cost ignored;
      if (!asked.contains(deeper) && !reachable(deeper, asked, ignored))
        std::ranges::move(reasons_against(deeper, asked), std::back_inserter(reasons));
    }
  };
  for (std::size_t rank = 0; rank < kinds_.size(); ++rank)
    for (const auto& offer : kinds_[rank]->offer(need, *seen_[rank], input_)) {
      ask(offer.needs);
      if (offer.acquire) ask(offer.acquire->needs);
    }
  if (reasons.empty()) reasons.push_back(reason_against(need));
  return reasons;
}

std::string Linker::reason_against(const Fact& need) {
  if (const auto& now = truth(need); now.value == Truth::Value::unknown)
    return fmt::format("cannot tell whether {}: {}", need.sentence(), now.reason);
  for (std::size_t rank = 0; rank < kinds_.size(); ++rank)
    if (auto obstacle = kinds_[rank]->obstacle(need, *seen_[rank]); !obstacle.empty()) return obstacle;
  std::string why = fmt::format("it needs that {}, and nothing makes it so", need.sentence());
  for (const auto& kind : kinds_)
    if (const auto advice = kind->advice(need); !advice.empty()) why += "; " + advice;
  return why;
}

/// What closes a bracket waits for those whose need it ends: a guest that starts again without the device
/// that was wanted of it does not.
void Linker::use(const Way& way, const Fact& need, std::size_t user) {
  if (!way.offer.acquire) {
    for (const auto& deeper : way.offer.needs) resolve(deeper, user);
    return;
  }
  auto& bracket = brackets_[open_bracket(way)];
  bracket.users.insert(user);
  drafts_[user].after.insert(bracket.acquire);
  const auto& ended = drafts_[bracket.release].step.ends;
  if (std::ranges::find(ended, need) != ended.end()) drafts_[bracket.release].after.insert(user);
}

std::size_t Linker::open_bracket(const Way& way) {
  for (std::size_t i = 0; i < brackets_.size(); ++i)
    if (drafts_[brackets_[i].acquire].step.action == way.offer.acquire->action) return i;
  Step acquire = *way.offer.acquire;
  Step release = *way.offer.release;
  acquire.reason = release.reason = ActionReason::prerequisite;
  acquire.needs.insert(acquire.needs.end(), way.offer.needs.begin(), way.offer.needs.end());
  const std::size_t at = drafts_.size();
  add_lending(std::move(acquire), way.rank);
  add(std::move(release), way.rank);
  drafts_[at + 1].after.insert(at);
  brackets_.push_back({.acquire = at, .release = at + 1, .users = {}, .otherwise = way.offer.otherwise});
  return brackets_.size() - 1;
}

std::optional<Linker::Way> Linker::best_way(const Fact& need, std::set<Fact> asked) {
  std::optional<Way> best;
  Cost best_cost;
  for (std::size_t rank = 0; rank < kinds_.size(); ++rank)
    for (auto& offer : kinds_[rank]->offer(need, *seen_[rank], input_)) {
      const auto price = cost(offer, asked);
      if (!price || (best && *price >= best_cost)) continue;
      best = Way{.offer = std::move(offer), .rank = rank};
      best_cost = *price;
    }
  return best;
}

std::optional<Linker::Cost> Linker::cost(const Offer& offer, const std::set<Fact>& asked) {
  Cost sum;
  if (offer.acquire) sum = {offer.acquire->disruption, offer.acquire->affects.size()};
  const auto all_reachable = [&](const std::vector<Fact>& needs) {
    return std::ranges::all_of(needs, [&](const Fact& need) { return reachable(need, asked, sum); });
  };
  if (!all_reachable(offer.needs) || (offer.acquire && !all_reachable(offer.acquire->needs)))
    return std::nullopt;
  return sum;
}

/// Adds what making the need true would cost; false if nothing can.
bool Linker::reachable(const Fact& need, const std::set<Fact>& asked, Cost& sum) {
  if (provided_by_.contains(need) || staged_.contains(need) || truth(need).value == Truth::Value::yes)
    return true;
  if (truth(need).value == Truth::Value::unknown || asked.contains(need)) return false;
  auto deeper = asked;
  deeper.insert(need);
  const auto way = best_way(need, deeper);
  const auto price = way ? cost(way->offer, deeper) : std::nullopt;
  if (!price) return false;
  sum = {std::max(sum.level, price->level), sum.affected + price->affected};
  return true;
}

void Linker::order_teardown(std::size_t step) {
  const auto needs = drafts_[step].step.needs_now;
  for (const auto& need : needs) {
    const Truth& now = truth(need);
    if (now.value == Truth::Value::no)
      block(step, fmt::format("it needs that {} now, and it is not so", need.sentence()));
    if (now.value == Truth::Value::unknown)
      block(step, fmt::format("cannot tell whether {}: {}", need.sentence(), now.reason));
    for (const auto ender : others(ended_by_, need, step)) drafts_[ender].after.insert(step);
  }
}

/// What holds now is ended before it is provided again. What does not hold yet is provided, used, and ended
/// after that: a module is unloaded for as long as it takes to install another. A bracket's own facts need no
/// such edge: only its users rest on what it lends.
void Linker::order_ends() {
  for (const auto& [fact, providers] : provided_by_) {
    const bool holds_now = truth(fact).value == Truth::Value::yes;
    for (const auto provider : providers)
      for (const auto ender : others(ended_by_, fact, provider)) {
        if (holds_now)
          drafts_[provider].after.insert(ender);
        else
          drafts_[ender].after.insert(provider);
      }
    if (holds_now) continue;
    for (const auto ender : others(ended_by_, fact, drafts_.size()))
      for (const auto user : others(needed_by_, fact, ender)) drafts_[ender].after.insert(user);
  }
}

/// What opened inside a bracket closes inside it.
void Linker::nest_brackets() {
  for (const auto& outer : brackets_)
    for (const auto& inner : brackets_)
      if (outer.users.contains(inner.acquire)) drafts_[outer.release].after.insert(inner.release);
}

std::string Linker::way_out(std::size_t step) const {
  const auto bracket = std::ranges::find(brackets_, step, &Bracket::release);
  return bracket == brackets_.end() || bracket->otherwise.empty() ? "" : "; " + bracket->otherwise;
}

void Linker::block(std::size_t step, std::string why) {
  auto& reasons = drafts_[step].step.blocked_by;
  if (std::ranges::find(reasons, why) == reasons.end()) reasons.push_back(std::move(why));
}

}  // namespace gpuhost
