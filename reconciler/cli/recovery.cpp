#include "cli/recovery.hpp"

#include <fmt/format.h>

#include "base/duration.hpp"
#include "cli/run_record.hpp"
#include "cli/run_status.hpp"
#include "kinds/registry.hpp"

namespace gpuhost {

namespace {

Result<void> check_unconfirmed(const Journal& journal, const HostView& host) {
  const auto left = journal.time_to_confirm(host);
  if (!left || *left == std::chrono::seconds::zero()) return {};
  return fail(ErrorKind::busy,
              fmt::format("the run of document '{}' of {} waits to be confirmed, for {} more",
                          journal.header().document, journal.header().started, duration_text(*left)),
              "keep it with 'gpuhost confirm', or undo it with 'gpuhost recover'");
}

}  // namespace

OrExit<std::optional<RecoverReport>> end_interrupted_run(Target& target, RunOutput& output, RecoveredBy by) {
  auto host = target.host();
  const auto journal = Journal::load(host.view.files);
  if (!journal) return std::unexpected(report(journal.error()));
  if (!*journal) return std::nullopt;
  if (by != RecoveredBy::person)
    if (const auto free = check_unconfirmed(**journal, host.view); !free)
      return std::unexpected(report(free.error()));
  output.recovering((*journal)->header());
  const auto kinds = all_kinds();
  StatusKeeper status(output, host, "recover", (*journal)->header().document);
  auto recovered = recover(kinds, host, status);
  if (!recovered) return std::unexpected(report(recovered.error()));
  output.recovered(**recovered);
  auto recorded = record_recovery(**recovered, host);
  if (recorded) recorded = target.save();
  if (!recorded) return std::unexpected(report(recorded.error()));
  if ((*recovered)->ended && (*recovered)->run.trial && by != RecoveredBy::timer)
    if (const auto cancelled = target.cancel_undo(); !cancelled)
      (void)report(cancelled.error());  // its timer finds nothing to undo
  return std::move(*recovered);
}

}  // namespace gpuhost
