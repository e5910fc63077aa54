#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/kind.hpp"
#include "engine/planner.hpp"

namespace gpuhost {

/// A step before it has its place.
struct Draft {
  Step step;
  std::size_t rank = 0;              ///< of its kind
  std::set<std::size_t> after;       ///< must be done before, in the same phase or an earlier one
  std::set<std::size_t> after_boot;  ///< must be done in an earlier phase
  std::size_t phase = 0;             ///< the earliest it can lie in
};

/// A fact made true for as long as its users run.
struct Bracket {
  std::size_t acquire = 0;
  std::size_t release = 0;
  std::set<std::size_t> users;
  std::string otherwise;  ///< Offer::otherwise
};

/// Draws the edges between steps from their facts, and adds the brackets that needs ask for:
/// teardown < end < provide < build for what holds now, provide < use < end for what holds only in between.
class Linker {
 public:
  Linker(const Kinds& kinds, const Observations& seen, const PlanInput& input)
      : kinds_(kinds), seen_(seen), input_(input) {}

  void add(Step step, std::size_t rank);
  /// Facts that an earlier run staged: true after the next boot.
  void add_staged(const std::vector<Fact>& facts);
  void link();

  [[nodiscard]] std::vector<Draft>& drafts() { return drafts_; }
  [[nodiscard]] const std::vector<Bracket>& brackets() const { return brackets_; }
  /// Every fact that was asked for, with its answer.
  [[nodiscard]] std::map<std::string, std::string> consulted() const;

 private:
  struct Way {
    Offer offer;
    std::size_t rank = 0;
  };
  /// How bad a way is; less is better.
  struct Cost {
    Disruption level = Disruption::none;
    std::size_t affected = 0;
    auto operator<=>(const Cost&) const = default;
  };
  using Steps = std::vector<std::size_t>;

  /// Adds a step whose provided facts hold for the users of its bracket only.
  void add_lending(Step step, std::size_t rank);
  const Truth& truth(const Fact& fact);
  /// Index from a fact to the steps that name it.
  using Index = std::map<Fact, Steps>;
  [[nodiscard]] static Steps others(const Index& index, const Fact& fact, std::size_t user);
  void resolve(const Fact& need, std::size_t user);
  void bracket_for(const Fact& need, std::size_t user);
  [[nodiscard]] std::vector<std::string> reasons_against(const Fact& need, std::set<Fact> asked);
  [[nodiscard]] std::string reason_against(const Fact& need);
  void use(const Way& way, const Fact& need, std::size_t user);
  std::size_t open_bracket(const Way& way);
  [[nodiscard]] std::optional<Way> best_way(const Fact& need, std::set<Fact> asked);
  [[nodiscard]] std::optional<Cost> cost(const Offer& offer, const std::set<Fact>& asked);
  [[nodiscard]] bool reachable(const Fact& need, const std::set<Fact>& asked, Cost& cost);
  void order_teardown(std::size_t step);
  void order_ends();
  void nest_brackets();
  /// What to do about a step that closes a bracket and cannot run; empty: nothing is known.
  [[nodiscard]] std::string way_out(std::size_t step) const;
  void block(std::size_t step, std::string why);

  const Kinds& kinds_;
  const Observations& seen_;
  const PlanInput& input_;
  std::vector<Draft> drafts_;
  std::vector<Bracket> brackets_;
  Index provided_by_;  ///< without the steps that open a bracket: only their users may rest on those
  Index provided_at_boot_by_;
  Index ended_by_;
  Index needed_by_;
  std::set<Fact> staged_;
  std::map<Fact, Truth> truths_;
};

}  // namespace gpuhost
