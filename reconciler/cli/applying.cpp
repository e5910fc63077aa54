#include "cli/applying.hpp"

#include <iostream>

#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/interrupt.hpp"
#include "cli/planning.hpp"
#include "cli/recovery.hpp"
#include "cli/run_guard.hpp"
#include "cli/run_record.hpp"
#include "cli/run_status.hpp"
#include "cli/trial.hpp"
#include "render/plan_summary.hpp"

namespace gpuhost {

namespace {

bool confirmed(const Plan& plan) {
  print(fmt::format(
      "\nApply {}? Only 'yes' is accepted: ",
      plan.steps.size() == 1 ? "this change" : fmt::format("these {} changes", plan.steps.size())));
  (void)flush_output();
  std::string answer;
  std::getline(std::cin, answer);
  return trim(answer) == "yes";
}

RunOptions run_options(const Options& options, const Desired& desired, Target& target,
                       const InterruptWatch& watch) {
  RunOptions run;
  run.executor.interrupted = &watch.requested();
  if (target.simulated()) run.executor.workers = 1;  // so that the same host file ends the same every time
  run.resumes = target.simulated();
  run.rollback = !options.no_rollback;
  run.confirm_within = options.confirm_within;
  const bool asked_before = desired.resumed && desired.resumed->reboots_left > 0;
  if (options.reboot || asked_before) run.reboot = [&target] { return target.reboot(); };
  return run;
}

ExitCode code_of(const RunReport& report, const Options& options, const InterruptWatch& watch) {
  switch (report.result) {
    case RunReport::Result::converged:
    case RunReport::Result::degraded:
      return code_of_unknown(report.last);
    case RunReport::Result::reboot_required:
      return ExitCode::reboot_needed;
    case RunReport::Result::refused:
      return ExitCode::not_applyable;
    case RunReport::Result::undone:
      return ExitCode::undone;
    case RunReport::Result::failed:
      return report.changed && !options.no_rollback ? ExitCode::partly_done : ExitCode::failed;
    case RunReport::Result::interrupted:
      return watch.exit_code();
  }
  return ExitCode::failed;
}

/// The end of a run that has not changed anything.
ExitCode end_unchanged(RunOutput& output, const Plan& plan, RunReport::Result result,
                       std::vector<std::string> why, ExitCode code) {
  RunReport report{.result = result, .last = plan, .errors = std::move(why)};
  output.ended(report, code);
  return code;
}

ExitCode carry_out(const Options& options, const DecodedDocument& document, const Plan& plan, Target& target,
                   RunOutput& output, const AfterRun& after) {
  const InterruptWatch watch;
  auto host = target.host();
  if (const auto begun = begin_approved(document.desired, options.confirm_within, plan, target); !begun)
    return end_unchanged(output, plan, RunReport::Result::refused, {begun.error().message},
                         report(begun.error()));
  StatusKeeper status(output, host, options.verb, plan.document);
  auto run =
      reconcile(document.desired, plan, host, status, run_options(options, document.desired, target, watch));
  if (options.confirm_within)
    if (const auto ended = end_fruitless_trial(document.desired, run, target); !ended)
      (void)report(ended.error());  // its timer finds nothing to undo
  if (!run) {
    const auto code = report(run.error());
    const auto result =
        run.error().kind == ErrorKind::stale ? RunReport::Result::refused : RunReport::Result::failed;
    return end_unchanged(output, plan, result, {run.error().message}, code);
  }
  auto code = code_of(*run, options, watch);
  if (after && code == ExitCode::done)
    if (const auto ended = after(target); !ended) {
      code = report(ended.error());
      run->errors.push_back(ended.error().sentence());
    }
  auto recorded = record_run(*run, host);
  if (recorded) recorded = target.save();
  if (!recorded) {
    const auto unrecorded = report(recorded.error());
    if (code == ExitCode::done || code == ExitCode::reboot_needed) code = unrecorded;
    run->errors.push_back(recorded.error().message);
  }
  if (run->result != RunReport::Result::refused) output.verified(run->last);
  output.ended(*run, code);
  return code;
}

/// A reboot that is asked for is refused like other disruption, before the first step.
void refuse_reboot(Plan& plan) {
  for (auto& note : plan.notes)
    if (note.address == reboot_address) note.severity = Note::Severity::error;
}

/// What this version cannot apply is in the plan, too; a reader of JSON Lines finds it here in words.
void report_unsupported(const DecodedDocument& document) {
  for (const auto& part : document.unsupported)
    (void)report({ErrorKind::unsupported, fmt::format("{}: not supported by this version", place_of(part)),
                  part.advice});
}

OrExit<Plan> plan_on(Target& target, DecodedDocument& document, const Options& options, RunOutput& output) {
  const auto recovered = end_interrupted_run(target, output, RecoveredBy::next_run);
  if (!recovered) return std::unexpected(recovered.error());
  if (*recovered && !(*recovered)->ended)
    return std::unexpected(ExitCode::busy);  // the journal is needed still
  const auto view = target.view();
  auto plan = plan_document(document, view, options.live() ? Trust::root_only : Trust::anybody);
  if (!plan) return plan;
  // One that is spoilt is written anew; that of a newer gpuhost is not ours to replace.
  if (const auto status = read_status(view.files); !status && status.error().kind == ErrorKind::stale)
    return std::unexpected(report(status.error()));
  return plan;
}

}  // namespace

Result<void> check_can_ask(const Options& options) {
  if (options.yes || (options.format == "text" && input_is_terminal() && output_is_terminal())) return {};
  return fail(ErrorKind::invalid, "cannot ask without a terminal", "give --yes to apply unasked");
}

ExitCode end_unplanned(RunOutput& output, ExitCode code) {
  output.ended_unplanned(to_string(RunReport::Result::refused), false, code);
  return code;
}

ExitCode on_locked_host(const Options& options, RunOutput& output,
                        const std::function<ExitCode(Target&)>& work) {
  const auto guard = take_run_lock(options);
  if (!guard) return end_unplanned(output, report_lock(guard.error(), options));
  auto target = Target::open(options);
  if (!target) return end_unplanned(output, target.error());
  return work(*target);
}

ExitCode apply_to(Target& target, DecodedDocument& document, const Options& options, RunOutput& output,
                  const SavedPlan* saved, const AfterRun& after) {
  auto plan = plan_on(target, document, options, output);
  if (!plan) return end_unplanned(output, plan.error());
  if (saved != nullptr)
    if (const auto same = check_same_plan(*saved, *plan); !same)
      return end_unplanned(output, report(same.error()));
  if (options.reboot) refuse_reboot(*plan);
  output.approved(*plan);
  report_unsupported(document);
  if (!plan->applyable())
    return end_unchanged(output, *plan, RunReport::Result::refused, blocks_of(*plan),
                         ExitCode::not_applyable);
  if (!plan->steps.empty() && !options.yes && !confirmed(*plan))
    return end_unchanged(output, *plan, RunReport::Result::refused, {"not confirmed"}, ExitCode::failed);
  if (saved != nullptr) {
    auto host = target.host();
    if (const auto first = mark_used(*saved, host); !first)
      return end_unchanged(output, *plan, RunReport::Result::refused, {first.error().message},
                           report(first.error()));
  }
  return carry_out(options, document, *plan, target, output, after);
}

}  // namespace gpuhost
