#include <algorithm>

#include "cli/run_guard.hpp"
#include "cli/run_record.hpp"
#include "cli/target.hpp"
#include "cli/verbs.hpp"
#include "render/json_text.hpp"
#include "render/run.hpp"

namespace gpuhost {

namespace {

/// A phase that waits for a boot, or was begun in this one and is not done, is pending as well; what a boot
/// takes away is the status file.
bool reboot_pending(const StatusView& view) {
  if (std::ranges::any_of(view.pending, [&](const auto& of) { return !of.second.given_up(view.boot_id); }))
    return true;
  const Json& status = view.status;
  if (!status.is_object() || !status.contains("reboot_required")) return false;
  const auto& reboot = status["reboot_required"];
  return reboot.is_object() && reboot.contains("required") && reboot["required"] == true;
}

}  // namespace

ExitCode run_status(const Options& options) {
  const auto target = Target::open(options);
  if (!target) return target.error();
  const auto status = read_status(target->view().files);
  if (!status) return report(status.error());
  auto journal = Journal::load(target->view().files);
  if (!journal) return report(journal.error());
  auto pending = load_pending_phases(target->view().files);
  if (!pending) return report(pending.error());
  auto abandoned = load_abandoned_writes(target->view().files);
  if (!abandoned) return report(abandoned.error());
  auto trials = load_trials(target->view().files);
  if (!trials) return report(trials.error());
  StatusView view{.status = *status};
  view.pending = *std::move(pending);
  view.boot_id = HostIdentity::read(target->view().files).boot_id;
  view.abandoned = *std::move(abandoned);
  view.trials = *std::move(trials);
  view.left = *std::move(journal);
  if (view.left) view.to_confirm = view.left->time_to_confirm(target->view());
  if (!target->simulated()) {
    auto holder = RunLock::holder(run_lock_path(options));
    if (holder)
      view.holder = *holder;
    else
      view.unreadable_lock = holder.error().message;
    if (holder && !*holder) view.status = abandoned_status_json(std::move(view.status));
  }
  print(options.format == "json" ? json_text(status_view_json(view))
                                 : status_text(view, output_style(options.no_color, options.verbose)));
  return options.detailed_exitcode && reboot_pending(view) ? ExitCode::reboot_needed : ExitCode::done;
}

}  // namespace gpuhost
