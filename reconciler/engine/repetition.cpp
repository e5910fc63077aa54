#include "engine/repetition.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "engine/plan.hpp"

namespace gpuhost {

namespace {

/// Once more than done is left to chance: what undid it may have been on its way already.
constexpr unsigned enough = 2;

}  // namespace

void Repetition::done(const Step& step) {
  if (step.check_only) return;
  const auto found = std::ranges::find(done_, step.action, &std::pair<StepAction, unsigned>::first);
  if (found == done_.end())
    done_.emplace_back(step.action, 1);
  else
    ++found->second;
}

std::string Repetition::in_vain(const Plan& plan) const {
  std::vector<std::string> titles;
  for (const auto index : plan.phases.front().steps) {
    const Step& step = plan.steps[index].step;
    if (step.check_only) continue;
    const auto found = std::ranges::find(done_, step.action, &std::pair<StepAction, unsigned>::first);
    if (found == done_.end() || found->second < enough) return {};
    titles.push_back(fmt::format("{} ({})", step.action.address, step.title));
  }
  if (titles.empty()) return {};
  return fmt::format(
      "{}: was done {} times and does not last: something on this host undoes it, such as a service "
      "that is started when somebody asks for it",
      join(titles, ", "), enough);
}

}  // namespace gpuhost
