#include <gtest/gtest.h>

#include "render/example_plan.hpp"
#include "render/observation.hpp"
#include "render/run.hpp"
#include "render/verify.hpp"

namespace gpuhost {
namespace {

using test::example_plan;
using test::quiet_plan;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(VerifyText, TellsEachFieldFromIntentAndDriftApart) {
  EXPECT_EQ(
      verify_text(example_plan(), {}),
      "Host kvm-gpu-07 (kernel 6.1.0-25-amd64), document kvm-gpu-07\n"
      "\n"
      "  pending   kernel.parameters[iommu]: running (absent), next boot pt, desired pt; waits for a reboot\n"
      "  in sync   kernel.parameters[quiet]: (absent)\n"
      "  unknown   units[ollama.service].enabled: desired true (there is no systemd)\n"
      "  differs   virtualization: is \"VT-x is off\", desired required\n"
      "\n"
      "Drift: set by an earlier run, and changed by another hand since:\n"
      "  kernel.modules[nouveau]: was set to blocked, is loaded\n"
      "\n"
      "Not in sync: 1 of 4 fields in sync, 1 differs, 1 waiting for a reboot, 1 unknown.\n");
}

TEST(VerifyText, SaysInSyncOnlyWhenEveryFieldIs) {
  EXPECT_TRUE(contains(verify_text(quiet_plan(), {}), "In sync: 1 field.\n"));
  auto plan = quiet_plan();
  plan.findings[0].verdict = Finding::Verdict::unknown;
  EXPECT_FALSE(contains(verify_text(plan, {}), "In sync:"));
  plan.findings.clear();
  EXPECT_TRUE(contains(verify_text(plan, {}), "Nothing to verify"));
}

TEST(VerifyJson, CountsAndListsEveryFinding) {
  const auto json = verify_json(example_plan());
  EXPECT_EQ(json["in_sync"], false);
  EXPECT_EQ(json["summary"],
            Json::parse(R"({"in_sync": 1, "differs": 1, "pending_reboot": 1, "unknown": 1})"));
  ASSERT_EQ(json["findings"].size(), 4U);
  EXPECT_EQ(json["findings"][2],
            Json::parse(R"({"address": "units[ollama.service].enabled", "verdict": "unknown",
                                                "desired": true, "observed": null, "reason": "there is no systemd"})"));
}

TEST(CountFindings, CountsWhatMorePermissionWouldShow) {
  auto plan = example_plan();
  EXPECT_EQ(count_findings(plan).denied, 0U);
  plan.findings[2].permission = true;
  EXPECT_EQ(count_findings(plan).denied, 1U);
}

TEST(ObservationText, PrintsATreeWithReasonsForTheUnknown) {
  EXPECT_EQ(
      observation_text({"host", "id", "6.1", ""},
                       {{"kernel_modules", {{"loaded", {"kvm", "vfio"}}, {"nouveau", {{"state", "absent"}}}}},
                        {"units", {{"unknown", "there is no systemd"}}}},
                       {}),
      "Host host (kernel 6.1)\n"
      "\n"
      "kernel_modules:\n"
      "  loaded: [kvm, vfio]\n"
      "  nouveau:\n"
      "    state: absent\n"
      "\n"
      "units: unknown (there is no systemd)\n");
}

TEST(RunText, SaysWhatHoldsAfterAFailure) {
  RunReport report;
  report.result = RunReport::Result::failed;
  report.changed = true;
  report.held = {"set kernel parameter iommu=pt"};
  report.errors = {
      "units[a.service]: cannot start a.service: \x1b"
      "[1m"};
  EXPECT_EQ(run_text(report, {}),
            "Done:\n  set kernel parameter iommu=pt\n"
            "Errors:\n  units[a.service]: cannot start a.service: \\x1b[1m\n"
            "Failed, after changes that were not undone; what is listed as done holds.\n");
}

TEST(RunText, TellsFromFailureWithoutChange) {
  RunReport report;
  report.result = RunReport::Result::failed;
  EXPECT_EQ(run_text(report, {}), "Failed; nothing was changed.\n");
}

TEST(RunText, TellsWhenAStepEndedInTheMiddle) {
  RunReport report;
  report.result = RunReport::Result::failed;
  report.changed = true;
  EXPECT_EQ(run_text(report, {}), "Failed in the middle of a step; nobody can tell what it has changed.\n");
}

TEST(RunText, ClaimsNothingOfWhatIsUnknown) {
  RunReport report;
  report.last = quiet_plan();
  EXPECT_EQ(run_text(report, {}), "Nothing to do: the host is as the document says.\n");
  report.last.findings[0].verdict = Finding::Verdict::unknown;
  EXPECT_EQ(run_text(report, {}), "Nothing to do, as far as the host can be read: 1 field unknown.\n");
  report.held = {"load module vfio"};
  EXPECT_EQ(run_text(report, {}), "Applied: 1 step done, as far as the host can be read: 1 field unknown.\n");
}

TEST(RunText, NamesWhatWaitsForTheReboot) {
  RunReport report;
  report.result = RunReport::Result::reboot_required;
  report.last = example_plan();
  EXPECT_TRUE(contains(run_text(report, {}), "Waiting for the reboot:\n  kernel.parameters[iommu]\n"));
}

std::string condition(const Json& status, const std::string& type) {
  for (const auto& item : status["conditions"])
    if (item["type"] == type) return item["status"];
  return "missing";
}

TEST(StatusJson, IsInSyncOnlyWithNothingLeft) {
  RunReport report;
  report.last = quiet_plan();
  const auto good = status_json(report, "2026-01-31T12:00:00Z");
  EXPECT_EQ(condition(good, "InSync"), "True");
  EXPECT_EQ(condition(good, "RebootRequired"), "False");
  EXPECT_EQ(condition(good, "Degraded"), "False");
  EXPECT_EQ(condition(good, "Drifted"), "False");
  report.last.findings[0].verdict = Finding::Verdict::unknown;
  EXPECT_EQ(condition(status_json(report, ""), "InSync"), "Unknown");
  report.last = example_plan();
  report.result = RunReport::Result::failed;
  const auto bad = status_json(report, "");
  EXPECT_EQ(condition(bad, "InSync"), "False");
  EXPECT_EQ(condition(bad, "RebootRequired"), "True");
  EXPECT_EQ(condition(bad, "Degraded"), "True");
  EXPECT_EQ(condition(bad, "Drifted"), "True");
  EXPECT_EQ(bad["reboot_required"],
            Json::parse(R"({"required": true, "reasons": ["kernel.parameters[iommu]"]})"));
}

TEST(StatusJson, TellsOfARunUnderWayAndKeepsWhatIsKnown) {
  RunReport earlier;
  earlier.last = quiet_plan();
  const auto plan = example_plan();
  RunProgress progress{.verb = "apply", .document = plan.document, .started = "2026-01-31T12:00:00Z"};
  progress.done = 1;
  progress.steps = 3;
  progress.now = {{"kernel.modules[vfio]", "loading module vfio"}};
  const auto running = running_status_json(status_json(earlier, "2026-01-30T12:00:00Z"), progress, &plan);
  EXPECT_EQ(condition(running, "Progressing"), "True");
  EXPECT_EQ(condition(running, "InSync"), "False");
  EXPECT_EQ(condition(running, "Drifted"), "True");
  EXPECT_EQ(condition(running, "Degraded"), "False");
  EXPECT_EQ(running["last_run"]["ended"], "2026-01-30T12:00:00Z");
  const auto text = status_text({.status = running}, {});
  EXPECT_TRUE(
      contains(text, "Progressing         True     Running: 1 of 3 steps done: loading module vfio\n"))
      << text;
  progress.undoing = true;
  EXPECT_TRUE(contains(status_text({.status = running_status_json(nullptr, progress, nullptr)}, {}),
                       "Progressing         True     Undoing: undoing what was done: loading module vfio\n"));
}

TEST(StatusJson, ARunThatEndedWithoutAWordIsNotUnderWay) {
  const auto plan = example_plan();
  const auto left = abandoned_status_json(
      running_status_json(nullptr, {.verb = "apply", .document = "kvm-gpu-07", .started = "t"}, &plan));
  EXPECT_EQ(condition(left, "Progressing"), "False");
  EXPECT_EQ(condition(left, "InSync"), "Unknown");
  EXPECT_FALSE(left.contains("run"));
  EXPECT_EQ(abandoned_status_json(left), left);
  EXPECT_EQ(abandoned_status_json(nullptr), nullptr);
  EXPECT_NO_THROW((void)abandoned_status_json(Json::parse(R"({"run": 1, "conditions": 7})")));
}

TEST(StatusText, ShowsConditionsLastRunAndLockHolder) {
  RunReport report;
  report.last = quiet_plan();
  const StatusView view{.status = status_json(report, "2026-01-31T12:00:00Z"),
                        .holder = RunLock::Holder{42, "gpuhost apply"}};
  const auto text = status_text(view, {});
  EXPECT_TRUE(contains(text, "  InSync              True     AsDesired: 1 field\n")) << text;
  EXPECT_TRUE(contains(text, "Last run: converged at 2026-01-31T12:00:00Z\n")) << text;
  EXPECT_TRUE(contains(text, "Run lock: held by pid 42, 'gpuhost apply'\n")) << text;
}

TEST(StatusText, SurvivesAStatusFileThatSomebodySpoilt) {
  EXPECT_NO_THROW((void)status_text(
      {.status = Json::parse(R"({"document": 7, "conditions": [1, {}], "last_run": []})")}, {}));
  EXPECT_TRUE(contains(status_text({.status = nullptr}, {}), "No run has changed this host"));
}

}  // namespace
}  // namespace gpuhost
