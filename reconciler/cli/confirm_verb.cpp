#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/applying.hpp"
#include "cli/run_guard.hpp"
#include "cli/run_record.hpp"
#include "cli/verbs.hpp"
#include "engine/trial.hpp"

namespace gpuhost {

namespace {

/// io: it came too late.
Result<void> check_in_time(const std::optional<Journal>& journal, const HostView& host) {
  const auto left = journal ? journal->time_to_confirm(host) : std::nullopt;
  if (left && *left > std::chrono::seconds::zero()) return {};
  if (left)
    return fail(ErrorKind::io,
                fmt::format("the run of document '{}' cannot be confirmed: its time is over",
                            journal->header().document),
                "'gpuhost recover' or the next apply undoes it");
  const auto trials = load_trials(host.files);
  if (!trials) return std::unexpected(trials.error());
  if (trials->empty()) return {};
  return fail(ErrorKind::io,
              fmt::format("document '{}' was tried and is undone: it was not confirmed in time",
                          trials->begin()->first),
              "apply it again");
}

/// Whether there was something to confirm.
Result<bool> confirm(Target& target) {
  auto host = target.host();
  auto journal = Journal::load(host.view.files);
  if (!journal) return fail(std::move(journal));
  if (auto in_time = check_in_time(*journal, host.view); !in_time) return fail(std::move(in_time));
  if (!*journal) return false;
  if (auto closed = (*journal)->close(host.files); !closed) return fail(std::move(closed));
  if (auto ended = end_trial((*journal)->header().document, host); !ended) return fail(std::move(ended));
  if (auto recorded = record_confirmation(host); !recorded) return fail(std::move(recorded));
  if (auto cancelled = target.cancel_undo(); !cancelled) return fail(std::move(cancelled));
  if (auto saved = target.save(); !saved) return fail(std::move(saved));
  return true;
}

}  // namespace

ExitCode run_confirm(const Options& options) {
  const RealHost machine;
  const auto output = make_run_output(options, machine.view().clock);
  if (const auto allowed = check_may_change(options); !allowed)
    return end_unplanned(*output, report(allowed.error()));
  return on_locked_host(options, *output, [&](Target& target) {
    const auto kept = confirm(target);
    if (!kept) return end_unplanned(*output, report(kept.error()));
    if (options.format == "text")
      print(*kept ? "Confirmed: what was applied stays.\n" : "Nothing waits to be confirmed.\n");
    output->ended_unplanned(*kept ? "confirmed" : "nothing_to_confirm", false, ExitCode::done);
    return ExitCode::done;
  });
}

}  // namespace gpuhost
