#include "cli/recovery.hpp"
#include "cli/run_guard.hpp"
#include "cli/verbs.hpp"

namespace gpuhost {

namespace {

OrExit<std::optional<RecoverReport>> recover_host(const Options& options, RunOutput& output) {
  if (const auto allowed = check_may_change(options); !allowed)
    return std::unexpected(report(allowed.error()));
  const auto guard = take_run_lock(options);
  if (!guard) return std::unexpected(report_lock(guard.error(), options));
  auto target = Target::open(options);
  if (!target) return std::unexpected(target.error());
  return end_interrupted_run(*target, output, options.overdue ? RecoveredBy::timer : RecoveredBy::person);
}

ExitCode code_of(const RecoverReport& report) {
  if (report.complete()) return ExitCode::done;
  return report.ended ? ExitCode::partly_done : ExitCode::busy;
}

}  // namespace

ExitCode run_recover(const Options& options) {
  const RealHost machine;
  const auto output = make_run_output(options, machine.view().clock);
  const auto recovered = recover_host(options, *output);
  if (!recovered) {
    output->ended_unplanned("failed", false, recovered.error());
    return recovered.error();
  }
  if (!*recovered) {
    if (options.format == "text") print("No run was interrupted: there is nothing to recover.\n");
    output->ended_unplanned("nothing_to_recover", false, ExitCode::done);
    return ExitCode::done;
  }
  const auto code = code_of(**recovered);
  output->ended_unplanned((*recovered)->complete() ? "recovered" : "failed", (*recovered)->rolled.acted,
                          code);
  return code;
}

}  // namespace gpuhost
