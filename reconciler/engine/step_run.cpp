#include "engine/step_run.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace gpuhost {

Result<Outcome> StepRunner::run(const PlannedStep& planned) {
  {
    const std::lock_guard lock(reports_);
    reporter_.started(planned);
  }
  auto outcome = attempt(planned.step);
  const std::lock_guard lock(reports_);
  if (outcome)
    reporter_.finished(planned);
  else
    reporter_.errored(planned, outcome.error());
  return outcome;
}

Result<Outcome> StepRunner::attempt(const Step& step) {
  const auto kind = std::ranges::find(kinds_, step.action.kind, [](const auto& k) { return k->name(); });
  if (kind == kinds_.end())
    return fail(ErrorKind::unsupported, fmt::format("no kind '{}' can run {}", step.action.kind, step.title));
  auto before = (*kind)->satisfied(step.action, host_.view);
  if (!before) return std::unexpected(std::move(before).error().within("cannot tell whether it is needed"));
  if (step.check_only) {
    if (*before) return Outcome::already_satisfied;
    return fail(ErrorKind::mismatch, fmt::format("{}: it is not so", step.title), step.explanation);
  }
  if (auto owned = own(step); !owned) return fail(std::move(owned));
  if (!*before)
    if (auto acted = act(**kind, step); !acted) return fail(std::move(acted));
  if (auto given = disown(step); !given) return fail(std::move(given));
  return *before ? Outcome::already_satisfied : Outcome::done;
}

Result<void> StepRunner::act(const Kind& kind, const Step& step) {
  if (auto ran = kind.run(step.action, host_); !ran) return ran;
  auto after = kind.satisfied(step.action, host_.view);
  if (!after) return std::unexpected(std::move(after).error().within("done, but cannot be read back"));
  if (!*after)
    return fail(ErrorKind::mismatch,
                fmt::format("{}: done without an error, but the host reads otherwise", step.title),
                "another program may be changing it; look at the host, then plan again");
  return {};
}

Result<void> StepRunner::own(const Step& step) {
  if (!step.claims) return {};
  const std::lock_guard lock(records_);
  auto next = owned_;
  next.claim(document_, *step.claims);
  return store(next);
}

Result<void> StepRunner::disown(const Step& step) {
  if (!step.gives_back) return {};
  const std::lock_guard lock(records_);
  auto next = owned_;
  next.give_back(document_, *step.gives_back);
  return store(next);
}

Result<void> StepRunner::store(const Ownership& next) {
  if (next == owned_) return {};
  if (auto written = host_.files.replace(Ownership::path, next.serialise(), 0644); !written)
    return std::unexpected(std::move(written).error().within("ownership cannot be recorded"));
  owned_ = next;
  return {};
}

}  // namespace gpuhost
