#include <algorithm>

#include <fmt/format.h>

#include "base/duration.hpp"
#include "base/text.hpp"
#include "render/plan_summary.hpp"
#include "render/run.hpp"
#include "render/verify.hpp"

namespace gpuhost {

namespace {

Json condition(std::string_view type, std::string_view status, std::string_view reason, std::string message) {
  return {{"type", type}, {"status", status}, {"reason", reason}, {"message", std::move(message)}};
}

Json in_sync(const Plan& plan) {
  const auto counts = count_findings(plan);
  const auto differing = counts.differs + counts.pending_reboot;
  if (differing > 0 || !plan.steps.empty())
    return condition("InSync", "False", "Differs",
                     fmt::format("{}, {} left", counted(differing, "differing field"),
                                 counted(plan.steps.size(), "step")));
  if (counts.unknown > 0)
    return condition("InSync", "Unknown", "Unreadable", counted(counts.unknown, "unknown field"));
  return condition("InSync", "True", "AsDesired", counted(counts.in_sync, "field"));
}

Json idle() {
  return condition("Progressing", "False", "Idle", "no run is under way");
}

Json progressing(const RunProgress& progress) {
  std::vector<std::string> now;
  for (const auto& [address, doing] : progress.now) now.push_back(doing);
  auto message = progress.undoing
                     ? std::string("undoing what was done")
                     : fmt::format("{} of {} done", progress.done, counted(progress.steps, "step"));
  if (!now.empty()) message += ": " + join(now, ", ");
  return condition("Progressing", "True", progress.undoing ? "Undoing" : "Running", std::move(message));
}

Json progressing(const RunReport& report) {
  if (report.result == RunReport::Result::reboot_required)
    return condition("Progressing", "True", "WaitingForReboot", "the next boot finishes what is staged");
  if (report.confirm_within)
    return condition("Progressing", "True", "AwaitingConfirmation",
                     "what was tried is undone unless 'gpuhost confirm' keeps it");
  return idle();
}

Json reboot_required(const Plan& plan) {
  if (!plan.reboot_required()) return condition("RebootRequired", "False", "NothingStaged", "");
  std::vector<std::string> addresses;
  for (const auto* finding : findings_with(plan, Finding::Verdict::pending_reboot))
    addresses.push_back(finding->address);
  return condition("RebootRequired", "True", "Staged", join(addresses, ", "));
}

/// "address: message" of each condition of a type.
std::string said_of(const Plan& plan, Condition::Type type) {
  std::vector<std::string> said;
  for (const auto& one : plan.conditions)
    if (one.type == type) said.push_back(fmt::format("{}: {}", one.address, one.message));
  return join(said, "; ");
}

Json degraded(const RunReport& report) {
  if (report.result == RunReport::Result::undone)
    return condition("Degraded", "True", "RunUndone", join(report.errors, "; "));
  if (report.result == RunReport::Result::failed)
    return condition("Degraded", "True", "RunFailed", join(report.errors, "; "));
  if (report.result == RunReport::Result::interrupted)
    return condition("Degraded", "True", "RunInterrupted", "the last run ended before it was done");
  if (report.last.degraded())
    return condition("Degraded", "True", "Absent", said_of(report.last, Condition::Type::degraded));
  return condition("Degraded", "False", "LastRunSucceeded", "");
}

Json pending_guest_restart(const Plan& plan) {
  auto guests = said_of(plan, Condition::Type::pending_guest_restart);
  if (guests.empty()) return condition("PendingGuestRestart", "False", "NothingPending", "");
  return condition("PendingGuestRestart", "True", "NextStart", std::move(guests));
}

Json drifted(const Plan& plan) {
  if (plan.drift.empty()) return condition("Drifted", "False", "NoDrift", "");
  std::vector<std::string> addresses;
  for (const auto& item : plan.drift) addresses.push_back(item.address);
  return condition("Drifted", "True", "ChangedByAnotherHand", join(addresses, ", "));
}

Json& conditions_of(Json& status) {
  auto& conditions = status["conditions"];
  if (!conditions.is_array()) conditions = Json::array();
  return conditions;
}

/// In place of the one of its type.
void set_condition(Json& conditions, Json fresh) {
  const auto same = [&](const Json& known) {
    return known.is_object() && known.value("type", Json()) == fresh["type"];
  };
  const auto found = std::find_if(conditions.begin(), conditions.end(), same);
  if (found == conditions.end())
    conditions.push_back(std::move(fresh));
  else
    *found = std::move(fresh);
}

Json pending_json(const StatusView& view) {
  Json pending = Json::array();
  for (const auto& [document, phase] : view.pending)
    pending.push_back({{"document", document},
                       {"sha256", phase.document_sha256},
                       {"due", phase.due(view.boot_id)},
                       {"boots", phase.boots},
                       {"given_up", phase.given_up(view.boot_id)}});
  return pending;
}

std::string pending_text(const std::string& document, const PendingPhase& phase, const std::string& boot_id) {
  const auto name = escape_for_terminal(document);
  if (phase.given_up(boot_id))
    return fmt::format("Document {} was gone on with in {} boots and is not done: apply it by hand.\n", name,
                       phase.boots);
  if (!phase.due(boot_id)) return fmt::format("Document {} is gone on with after a reboot.\n", name);
  return fmt::format("Document {} is to be gone on with in this boot (tried in {} of {}).\n", name,
                     phase.boots, PendingPhase::most_boots);
}

std::string left_text(const Journal& journal, std::optional<std::chrono::seconds> to_confirm) {
  const auto& run = journal.header();
  const auto what = fmt::format("run of document '{}' of {}", escape_for_terminal(run.document),
                                escape_for_terminal(run.started));
  if (to_confirm && *to_confirm > std::chrono::seconds::zero())
    return fmt::format(
        "The {} waits to be confirmed, for {} more: 'gpuhost confirm' keeps it, 'gpuhost recover' undoes "
        "it.\n",
        what, duration_text(*to_confirm));
  if (to_confirm)
    return fmt::format("The {} was not confirmed in time: 'gpuhost recover' or the next apply undoes it.\n",
                       what);
  return fmt::format("The {} was interrupted: 'gpuhost recover' or the next apply undoes what it has done.\n",
                     what);
}

/// A string of the status file, which another program may have spoilt; escaped.
std::string field(const Json& object, const char* name) {
  if (!object.is_object()) return {};
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? escape_for_terminal(found->get<std::string>())
                                                     : std::string();
}

std::string condition_line(const Json& condition, const Style& style) {
  const auto type = field(condition, "type");
  const auto status = fmt::format("{:<8}", field(condition, "status"));
  const bool good_when_true = type == "InSync";
  const bool good = status.starts_with(good_when_true ? "True" : "False");
  const auto message = field(condition, "message");
  return fmt::format("  {:<19} {} {}{}{}\n", type, good ? style.green(status) : style.yellow(status),
                     field(condition, "reason"), message.empty() ? "" : ": ", message);
}

std::string lock_text(const StatusView& view) {
  if (view.unreadable_lock) return fmt::format("unknown ({})", escape_for_terminal(*view.unreadable_lock));
  if (!view.holder) return "free";
  return "held by " + view.holder->to_string();
}

}  // namespace

Json running_status_json(Json known, const RunProgress& progress, const Plan* plan) {
  auto status = known.is_object() ? std::move(known) : Json{{"format_version", 1}};
  auto& conditions = conditions_of(status);
  if (plan != nullptr) {
    for (auto fresh : {in_sync(*plan), reboot_required(*plan), drifted(*plan), pending_guest_restart(*plan)})
      set_condition(conditions, std::move(fresh));
    status["document"] = {{"name", plan->document}, {"sha256", plan->document_sha256}};
    status["scope"] = to_string(plan->scope);
    status["reboot_required"] = reboot_json(*plan);
  }
  set_condition(conditions, progressing(progress));
  Json now = Json::array();
  for (const auto& [address, doing] : progress.now) now.push_back({{"address", address}, {"doing", doing}});
  status["run"] = {{"verb", progress.verb},       {"document", progress.document},
                   {"started", progress.started}, {"done", progress.done},
                   {"steps", progress.steps},     {"now", now},
                   {"undoing", progress.undoing}};
  return status;
}

Json abandoned_status_json(Json known) {
  if (!known.is_object() || known.erase("run") == 0) return known;
  auto& conditions = conditions_of(known);
  set_condition(conditions,
                condition("Progressing", "False", "Interrupted", "the run ended before it was done"));
  set_condition(conditions,
                condition("InSync", "Unknown", "NotLooked", "not looked at since a run was interrupted"));
  return known;
}

Json status_json(const RunReport& report, const std::string& ended) {
  const auto& plan = report.last;
  return {{"format_version", 1},
          {"document", {{"name", plan.document}, {"sha256", plan.document_sha256}}},
          {"scope", to_string(plan.scope)},
          {"conditions",
           {in_sync(plan), progressing(report), reboot_required(plan), degraded(report), drifted(plan),
            pending_guest_restart(plan)}},
          {"reboot_required", reboot_json(plan)},
          {"last_run",
           {{"verb", "apply"},
            {"result", to_string(report.result)},
            {"changed", report.changed},
            {"ended", ended},
            {"done", report.held},
            {"undone", report.undone},
            {"errors", report.errors}}}};
}

Json recovered_status_json(Json known, const RecoverReport& report, const std::string& ended) {
  auto status = known.is_object() ? std::move(known) : Json{{"format_version", 1}};
  status.erase("run");
  auto& conditions = conditions_of(status);
  set_condition(conditions, condition("InSync", "Unknown", "NotLooked",
                                      "not looked at since an interrupted run was ended"));
  set_condition(conditions, idle());
  const auto outcome = recovery_json(report);
  set_condition(conditions, report.complete()
                                ? condition("Degraded", "True", "RunInterrupted",
                                            "the run was interrupted, and is undone")
                                : condition("Degraded", "True", "RunFailed",
                                            join(outcome["errors"].get<std::vector<std::string>>(), "; ")));
  status["document"]["name"] = report.run.document;
  status["last_run"] = {{"verb", "recover"},
                        {"result", report.complete() ? "undone" : "failed"},
                        {"changed", !report.complete()},
                        {"ended", ended},
                        {"done", outcome["done"]},
                        {"undone", outcome["undone"]},
                        {"errors", outcome["errors"]}};
  return status;
}

Json confirmed_status_json(Json known) {
  set_condition(conditions_of(known), idle());
  return known;
}

Json status_view_json(const StatusView& view) {
  Json json{{"format_version", 1}, {"status", view.status}, {"lock", {{"holder", nullptr}}}};
  if (view.holder) json["lock"]["holder"] = {{"pid", view.holder->pid}, {"command", view.holder->command}};
  if (view.unreadable_lock) json["lock"]["unknown"] = *view.unreadable_lock;
  json["pending"] = pending_json(view);
  json["interrupted"] = nullptr;
  if (view.left && !view.holder)
    json["interrupted"] = {{"document", view.left->header().document},
                           {"started", view.left->header().started},
                           {"awaits_confirmation", view.left->awaits_confirmation()},
                           {"to_confirm_s", view.to_confirm ? Json(view.to_confirm->count()) : Json()}};
  json["unconfirmed"] = view.trials;
  json["abandoned"] = Json::array();
  for (const auto& write : view.abandoned)
    json["abandoned"].push_back(
        {{"device", write.device}, {"request", write.request}, {"since", write.since}, {"pid", write.pid}});
  return json;
}

std::string status_text(const StatusView& view, const Style& style) {
  std::string text;
  if (view.status.is_object()) {
    const auto scope = field(view.status, "scope");
    text +=
        fmt::format("Document {}{}\n", field(view.status.value("document", Json()), "name"),
                    scope.empty() || scope == to_string(Scope::all) ? "" : fmt::format(" (scope {})", scope));
    for (const auto& item : view.status.value("conditions", Json::array()))
      text += condition_line(item, style);
    const auto last_run = view.status.value("last_run", Json());
    if (!last_run.is_null())
      text += fmt::format("Last run: {} at {}\n", field(last_run, "result"), field(last_run, "ended"));
  } else {
    text += "No run has changed this host since it was booted.\n";
  }
  for (const auto& [document, phase] : view.pending) text += pending_text(document, phase, view.boot_id);
  for (const auto& [document, sha256] : view.trials)
    if (!view.to_confirm || view.left->header().document != document)
      text += fmt::format("Document {} was tried and not confirmed: no boot unit applies it.\n",
                          escape_for_terminal(document));
  for (const auto& write : view.abandoned)
    text += fmt::format("{} is left alone: {}.\n", escape_for_terminal(write.device),
                        escape_for_terminal(write.sentence()));
  if (view.left && !view.holder) text += left_text(*view.left, view.to_confirm);
  return text + fmt::format("Run lock: {}\n", lock_text(view));
}

}  // namespace gpuhost
