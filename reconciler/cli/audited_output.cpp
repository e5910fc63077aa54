#include "cli/audited_output.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "base/text.hpp"
#include "cli/output.hpp"
#include "cli/trusted_file.hpp"
#include "host/abandoned_writes.hpp"
#include "host/real/journal_socket.hpp"
#include "host/real/real_host.hpp"
#include "render/plan.hpp"

namespace gpuhost {

namespace {

enum class Priority { error = 3, warning = 4, notice = 5, info = 6 };  // syslog(3)

/// What a sort of entry is known by: README.md lists them.
struct Sort {
  std::string_view message_id;
  Priority priority;
};

constexpr Sort run_started{"ed35851130e74f92acca4b038627d645", Priority::info};
constexpr Sort run_ended{"a114e7f9752c4a1cb05951f1a9c93dc8", Priority::info};
constexpr Sort run_failed{"a114e7f9752c4a1cb05951f1a9c93dc8", Priority::error};
constexpr Sort recovery_started{"4c2b95f744ba48b6ac3e811392bd5e9f", Priority::warning};
constexpr Sort reboot_needed{"fd1381bbf5a14e479e94874d134a2068", Priority::warning};
constexpr Sort change_done{"90c3c28ab58c4f799d9b2434279ebcf9", Priority::notice};
constexpr Sort change_failed{"0f8d961ca8c544dcb2cac15f3a144585", Priority::error};
constexpr Sort change_undone{"fb0a74ba2a1f426da4bc15ee33e10130", Priority::notice};
constexpr Sort change_held{"89c49a23b54e4c3da1307148533e6894", Priority::error};
constexpr Sort write_abandoned{"8d497b83e76043228b9061f30d93918f", Priority::error};

/// The user who logged in, whoever he has become since; empty: nobody did, as at a boot.
std::string login_user() {
  constexpr std::string_view nobody = "4294967295";
  const auto text = read_file("/proc/self/loginuid", nobody.size() + 1);
  const auto user = text ? std::string(trim(*text)) : std::string();
  return user == nobody ? std::string() : user;
}

class AuditedOutput final : public RunOutput {
 public:
  AuditedOutput(std::unique_ptr<RunOutput> next, JournalSocket journal, std::string verb)
      : next_(std::move(next)),
        journal_(std::move(journal)),
        verb_(std::move(verb)),
        user_(std::to_string(::getuid())),
        login_user_(login_user()) {
    for (const auto& write : abandoned()) told_.insert(write.pid);
  }

  void recovering(const Journal::Header& run) override {
    document_ = run.document;
    sha256_ = run.document_sha256;
    write(recovery_started,
          fmt::format("ending the interrupted run of document '{}' of {}", run.document, run.started));
    next_->recovering(run);
  }
  void recovered(const RecoverReport& report) override { next_->recovered(report); }
  void approved(const Plan& plan) override {
    document_ = plan.document;
    sha256_ = plan.document_sha256;
    plan_id_ = plan_json(plan)["plan_id"].get<std::string>();
    started_ = false;
    next_->approved(plan);
  }
  void planned(const Plan& plan, unsigned round) override { next_->planned(plan, round); }
  void started(const PlannedStep& step) override {
    if (!std::exchange(started_, true))
      write(run_started, fmt::format("{} of document '{}'", verb_, document_));
    next_->started(step);
  }
  void finished(const PlannedStep& step, Outcome outcome) override {
    if (outcome == Outcome::done) write_change(change_done, step, "done", {});
    next_->finished(step, outcome);
  }
  void errored(const PlannedStep& step, const Error& error) override {
    write_change(change_failed, step, "failed", error.sentence());
    for (const auto& one : abandoned())
      if (told_.insert(one.pid).second)
        write(write_abandoned, one.sentence(),
              {{"GPUHOST_DEVICE", one.device}, {"GPUHOST_PID", std::to_string(one.pid)}});
    next_->errored(step, error);
  }
  void rollback_started() override { next_->rollback_started(); }
  void undone(const StepRecord& step) override {
    write_undo(change_undone, step, "undone", {});
    next_->undone(step);
  }
  void not_undone(const StepRecord& step, const std::string& why) override {
    write_undo(change_held, step, "not undone", why);
    next_->not_undone(step, why);
  }
  void rollback_ended(bool complete) override { next_->rollback_ended(complete); }
  void barrier(const Plan& plan, bool rebooting) override {
    write(reboot_needed, rebooting ? "rebooting to go on" : "a reboot is needed to go on");
    next_->barrier(plan, rebooting);
  }
  void verified(const Plan& outcome) override { next_->verified(outcome); }
  void ended(const RunReport& report, ExitCode code) override {
    write_end(to_string(report.result), join(report.errors, "\n"), code);
    next_->ended(report, code);
  }
  void ended_unplanned(std::string_view result, bool changed, ExitCode code) override {
    write_end(result, {}, code);
    next_->ended_unplanned(result, changed, code);
  }

 private:
  using Entry = JournalSocket::Entry;

  [[nodiscard]] AbandonedWrites abandoned() const {
    return load_abandoned_writes(machine_.view().files).value_or(AbandonedWrites{});
  }

  void write_change(const Sort& sort, const PlannedStep& step, std::string_view outcome, std::string why) {
    write_step(sort, step.step.action, join(step.step.actions, ","), step.step.title, outcome,
               std::move(why));
  }
  void write_undo(const Sort& sort, const StepRecord& step, std::string_view outcome, std::string why) {
    write_step(sort, step.action, "undo", step.title, outcome, std::move(why));
  }
  void write_step(const Sort& sort, const StepAction& action, std::string actions, const std::string& title,
                  std::string_view outcome, std::string why) {
    auto message = fmt::format("{}: {}{}{}", title, outcome, why.empty() ? "" : ": ", why);
    Entry entry{{"GPUHOST_ADDRESS", action.address},
                {"GPUHOST_KIND", action.kind},
                {"GPUHOST_ACTION", std::move(actions)},
                {"GPUHOST_OUTCOME", std::string(outcome)}};
    if (!why.empty()) entry.push_back({"GPUHOST_ERROR", std::move(why)});
    write(sort, std::move(message), std::move(entry));
  }
  void write_end(std::string_view result, std::string errors, ExitCode code) {
    const bool failed = code != ExitCode::done && code != ExitCode::reboot_needed;
    Entry entry{{"GPUHOST_RESULT", std::string(result)},
                {"GPUHOST_EXIT_CODE", std::to_string(std::to_underlying(code))}};
    if (!errors.empty()) entry.push_back({"GPUHOST_ERROR", std::move(errors)});
    const auto what = document_.empty() ? verb_ : fmt::format("{} of document '{}'", verb_, document_);
    write(failed ? run_failed : run_ended, fmt::format("{} ended: {}", what, result), std::move(entry));
  }

  void write(const Sort& sort, std::string message, Entry more = {}) {
    const auto by =
        login_user_.empty() ? "user " + user_ : fmt::format("user {} (login {})", user_, login_user_);
    Entry entry{{"MESSAGE", fmt::format("{}, by {}", escape_for_terminal(message), by)},
                {"MESSAGE_ID", std::string(sort.message_id)},
                {"PRIORITY", std::to_string(std::to_underlying(sort.priority))},
                {"SYSLOG_IDENTIFIER", "gpuhost"},
                {"GPUHOST_VERB", verb_},
                {"GPUHOST_UID", user_}};
    if (!login_user_.empty()) entry.push_back({"GPUHOST_LOGINUID", login_user_});
    if (!document_.empty()) entry.push_back({"GPUHOST_DOCUMENT", document_});
    if (!sha256_.empty()) entry.push_back({"GPUHOST_DOCUMENT_SHA256", sha256_});
    if (!plan_id_.empty()) entry.push_back({"GPUHOST_PLAN_ID", plan_id_});
    std::ranges::move(more, std::back_inserter(entry));
    const auto sent = journal_.send(entry);
    if (!sent && !std::exchange(deaf_, true)) log_warning(sent.error().sentence());
  }

  std::unique_ptr<RunOutput> next_;
  JournalSocket journal_;
  RealHost machine_;
  std::string verb_;
  std::string user_;
  std::string login_user_;  ///< empty: unknown or nobody
  std::string document_;
  std::string sha256_;
  std::string plan_id_;
  std::set<int> told_;  ///< processes that hang, and are in the journal or were there before
  bool started_ = false;
  bool deaf_ = false;  ///< an entry was lost; said once
};

}  // namespace

std::unique_ptr<RunOutput> make_audited_output(std::unique_ptr<RunOutput> next, const Options& options) {
  auto journal = JournalSocket::open();
  if (!journal) {
    if (journal.error().kind != ErrorKind::not_found) log_warning(journal.error().sentence());
    return next;
  }
  return std::make_unique<AuditedOutput>(std::move(next), *std::move(journal), options.verb);
}

}  // namespace gpuhost
