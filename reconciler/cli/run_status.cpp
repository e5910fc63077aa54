#include "cli/run_status.hpp"

#include <algorithm>

#include "cli/run_record.hpp"

namespace gpuhost {

StatusKeeper::StatusKeeper(Reporter& next, Host& host, std::string verb, std::string document)
    : next_(next),
      host_(host),
      progress_{
          .verb = std::move(verb), .document = std::move(document), .started = host.view.clock.utc_now()} {}

void StatusKeeper::planned(const Plan& plan, unsigned round) {
  plan_ = plan;
  progress_.done = 0;
  progress_.steps =
      plan.phases.empty()
          ? 0
          : static_cast<std::size_t>(std::ranges::count_if(
                plan.phases.front().steps, [&](auto i) { return !plan.steps[i].step.provisional; }));
  next_.planned(plan, round);
}

void StatusKeeper::started(const PlannedStep& step) {
  progress_.now[step.step.action.address] = step.step.progress;
  write();
  next_.started(step);
}

void StatusKeeper::finished(const PlannedStep& step, Outcome outcome) {
  ++progress_.done;
  progress_.now.erase(step.step.action.address);
  write();
  next_.finished(step, outcome);
}

void StatusKeeper::errored(const PlannedStep& step, const Error& error) {
  progress_.now.erase(step.step.action.address);
  write();
  next_.errored(step, error);
}

void StatusKeeper::rollback_started() {
  progress_.undoing = true;
  write();
  next_.rollback_started();
}

void StatusKeeper::undone(const StepRecord& step) {
  next_.undone(step);
}

void StatusKeeper::not_undone(const StepRecord& step, const std::string& why) {
  next_.not_undone(step, why);
}

void StatusKeeper::rollback_ended(bool complete) {
  next_.rollback_ended(complete);
}

void StatusKeeper::barrier(const Plan& plan, bool rebooting) {
  next_.barrier(plan, rebooting);
}

void StatusKeeper::verified(const Plan& outcome) {
  next_.verified(outcome);
}

void StatusKeeper::write() {
  if (!known_) known_ = read_status(host_.view.files).value_or(Json());
  (void)record_progress(running_status_json(*known_, progress_, plan_ ? &*plan_ : nullptr), host_);
}

}  // namespace gpuhost
