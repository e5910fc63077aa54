#include "cli/run_output.hpp"

#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/audited_output.hpp"
#include "cli/output.hpp"
#include "render/json_text.hpp"
#include "render/plan.hpp"
#include "render/run.hpp"
#include "render/verify.hpp"

namespace gpuhost {

namespace {

/// At once, so that who reads a pipe sees each step when it happens. What cannot be written shows at the end.
void tell(const std::string& text) {
  print(text);
  (void)flush_output();
}

class TextOutput final : public RunOutput {
 public:
  explicit TextOutput(const Options& options)
      : style_(output_style(options.no_color, options.verbose)), terminal_(output_is_terminal()) {}

  void recovering(const Journal::Header& run) override {
    tell(fmt::format("The run of document '{}' of {} was interrupted.\n", escape_for_terminal(run.document),
                     escape_for_terminal(run.started)));
  }
  void recovered(const RecoverReport& report) override { tell("\n" + recovery_text(report, style_) + "\n"); }
  void approved(const Plan& plan) override { tell(plan_text(plan, style_)); }
  void planned(const Plan& plan, unsigned round) override {
    if (round > 1 && style_.verbose) tell("\n" + plan_text(plan, style_) + "\n");
  }
  void started(const PlannedStep& step) override {
    if (terminal_) tell(fmt::format("  {} ...\n", escape_for_terminal(step.step.progress)));
  }
  void finished(const PlannedStep& step, Outcome) override {
    tell(fmt::format("  {} {}\n", style_.green("done:"), escape_for_terminal(step.step.title)));
  }
  void errored(const PlannedStep& step, const Error& error) override {
    tell(fmt::format("  {} {}: {}\n", style_.red("failed:"), escape_for_terminal(step.step.title),
                     escape_for_terminal(error.message)));
  }
  void rollback_started() override { tell("Undoing what was done:\n"); }
  void undone(const StepRecord& step) override {
    tell(fmt::format("  {} {}\n", style_.yellow("undone:"), escape_for_terminal(step.title)));
  }
  void not_undone(const StepRecord& step, const std::string& why) override {
    tell(fmt::format("  {} {}: {}\n", style_.red("holds:"), escape_for_terminal(step.title),
                     escape_for_terminal(why)));
  }
  void rollback_ended(bool) override {}
  void barrier(const Plan&, bool rebooting) override {
    tell(fmt::format("  {}\n", style_.yellow(rebooting ? "rebooting" : "a reboot is needed to go on")));
  }
  void verified(const Plan&) override {}
  void ended(const RunReport& report, ExitCode) override { tell("\n" + run_text(report, style_)); }
  void ended_unplanned(std::string_view, bool, ExitCode) override {}

 private:
  Style style_;
  bool terminal_;
};

class JsonLinesOutput final : public RunOutput {
 public:
  explicit JsonLinesOutput(const Clock& clock) : clock_(clock) {
    write("version", {{"gpuhost", GPUHOST_VERSION}, {"format_version", 1}});
  }

  void recovering(const Journal::Header& run) override {
    write("recovery_start", {{"document", run.document}, {"started", run.started}});
  }
  void recovered(const RecoverReport& report) override { write("recovery_complete", recovery_json(report)); }
  void approved(const Plan& plan) override { write("plan", {{"round", 0}, {"plan", plan_json(plan)}}); }
  void planned(const Plan& plan, unsigned round) override {
    if (round > 1) write("plan", {{"round", round}, {"plan", plan_json(plan)}});
  }
  void started(const PlannedStep& step) override { write("step_start", naming(step)); }
  void finished(const PlannedStep& step, Outcome) override { write("step_complete", naming(step)); }
  void errored(const PlannedStep& step, const Error& error) override {
    Json event = naming(step);
    event["error"] = error_json(error);
    write("step_errored", std::move(event));
  }
  void rollback_started() override { write("rollback_start", Json::object()); }
  void undone(const StepRecord& step) override { write("rollback_step_complete", naming(step)); }
  void not_undone(const StepRecord& step, const std::string& why) override {
    Json event = naming(step);
    event["reason"] = why;
    write("rollback_step_errored", std::move(event));
  }
  void rollback_ended(bool complete) override { write("rollback_complete", {{"complete", complete}}); }
  void barrier(const Plan& plan, bool rebooting) override {
    write("barrier",
          {{"barrier", "reboot"}, {"rebooting", rebooting}, {"reasons", reboot_json(plan)["reasons"]}});
  }
  void verified(const Plan& outcome) override { write("verify_result", verify_json(outcome)); }
  void ended(const RunReport& report, ExitCode code) override {
    const auto confirm_within = report.confirm_within ? Json(report.confirm_within->count()) : Json();
    write("summary", {{"result", to_string(report.result)},
                      {"changed", report.changed},
                      {"reboot_required", reboot_json(report.last)},
                      {"done", report.held},
                      {"undone", report.undone},
                      {"errors", report.errors},
                      {"confirm_within_s", confirm_within},
                      {"exit_code", std::to_underlying(code)}});
  }
  void ended_unplanned(std::string_view result, bool changed, ExitCode code) override {
    write("summary", {{"result", result},
                      {"changed", changed},
                      {"reboot_required", {{"required", false}, {"reasons", Json::array()}}},
                      {"done", Json::array()},
                      {"undone", Json::array()},
                      {"errors", Json::array()},
                      {"exit_code", std::to_underlying(code)}});
  }

 private:
  static Json naming(const PlannedStep& step) {
    return {{"id", step.id},
            {"address", step.step.action.address},
            {"actions", step.step.actions},
            {"title", step.step.title}};
  }
  static Json naming(const StepRecord& step) {
    return {{"address", step.action.address}, {"title", step.title}};
  }
  void write(std::string_view type, Json event) {
    event["type"] = type;
    event["timestamp"] = clock_.utc_now();
    tell(json_line(event) + "\n");
  }

  const Clock& clock_;
};

}  // namespace

std::unique_ptr<RunOutput> make_run_output(const Options& options, const Clock& clock) {
  std::unique_ptr<RunOutput> output;
  if (options.format == "json")
    output = std::make_unique<JsonLinesOutput>(clock);
  else
    output = std::make_unique<TextOutput>(options);
  return options.live() ? make_audited_output(std::move(output), options) : std::move(output);
}

}  // namespace gpuhost
