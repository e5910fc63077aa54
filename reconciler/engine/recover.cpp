#include "engine/recover.hpp"

#include <iterator>

namespace gpuhost {

Result<std::optional<RecoverReport>> recover(const Kinds& kinds, Host& host, Reporter& reporter) {
  auto journal = Journal::load(host.view.files);
  if (!journal) return fail(std::move(journal));
  if (!*journal) return std::nullopt;
  auto owned = Ownership::load(host.view.files);
  if (!owned) return fail(std::move(owned));
  RecoverReport report{.run = (*journal)->header(), .rolled = {}, .errors = {}};
  RunContext run{report.run.document, kinds, host, *owned, **journal, reporter};
  if (report.run.rollback) {
    reporter.rollback_started();
    report.rolled = roll_back(run);
  }
  report.errors = settle_obligations(run);
  if (report.run.rollback) reporter.rollback_ended(report.complete());
  if (!report.complete() && report.rolled.retryable) return report;
  if (auto closed = (*journal)->close(host.files))
    report.ended = true;
  else
    report.errors.push_back(closed.error().sentence());
  return report;
}

}  // namespace gpuhost
