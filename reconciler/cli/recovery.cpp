#include "cli/recovery.hpp"

#include <fmt/format.h>

#include "cli/run_record.hpp"
#include "kinds/registry.hpp"

namespace gpuhost {

namespace {

Result<void> check_unconfirmed(const Journal& journal) {
  if (!journal.awaits_confirmation()) return {};
  return fail(ErrorKind::busy,
              fmt::format("the run of document '{}' of {} waits to be confirmed", journal.header().document,
                          journal.header().started),
              "undo it with 'gpuhost recover', or wait until its time is over");
}

}  // namespace

OrExit<std::optional<RecoverReport>> end_interrupted_run(Target& target, RunOutput& output,
                                                         Unconfirmed unconfirmed) {
  auto host = target.host();
  const auto journal = Journal::load(host.view.files);
  if (!journal) return std::unexpected(report(journal.error()));
  if (!*journal) return std::nullopt;
  if (unconfirmed == Unconfirmed::refuse)
    if (const auto free = check_unconfirmed(**journal); !free) return std::unexpected(report(free.error()));
  output.recovering((*journal)->header());
  const auto kinds = all_kinds();
  auto recovered = recover(kinds, host, output);
  if (!recovered) return std::unexpected(report(recovered.error()));
  output.recovered(**recovered);
  auto recorded = record_recovery(**recovered, host);
  if (recorded) recorded = target.save();
  if (!recorded) return std::unexpected(report(recorded.error()));
  return std::move(*recovered);
}

}  // namespace gpuhost
