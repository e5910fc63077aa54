#include <gtest/gtest.h>

#include "base/sha256.hpp"
#include "render/example_plan.hpp"
#include "render/json_text.hpp"
#include "render/plan.hpp"

namespace gpuhost {
namespace {

using test::example_plan;
using test::quiet_plan;

TEST(PlanText, TellsAReaderWhatWhyInWhichOrderWhomItHitsAndWhatIsInTheWay) {
  EXPECT_EQ(plan_text(example_plan(), {}), R"text(Host kvm-gpu-07 (kernel 6.1.0-25-amd64), document kvm-gpu-07

Phase 1 of 2, now:

  1. ~ set kernel parameter intel_iommu=on
       kernel.parameters[intel_iommu]  (update)
       running:   (absent)
       next boot: (absent) -> on
       why:       the document asks for it; true after the next boot

  2. - stop unit ollama.service
       units[ollama.service]  (stop)
       value:    active -> inactive
       why:      prerequisite of step 3
       disturbs: stop-units: unit ollama.service, process ollama (pid 812)

  3. - unload module nouveau
       kernel.modules[nouveau]  (unload)
       state:   loaded -> blocked
       why:     gpuhost had set it, and it was changed by another hand since
       order:   after step 2
       undo:    only as far as possible
       foreign: gpuhost did not make it

  4. + start unit ollama.service
       units[ollama.service]  (start)
       value: inactive -> active
       why:   undoes step 2
       order: after steps 2, 3

  ---- reboot: everything that runs on this host stops, its VMs included ----
  The policy does not let gpuhost restart the host: apply ends here with exit code 3, which is no
  failure: what is staged holds from the next boot on, whoever causes it. Apply again after it to finish.
  What is as desired now and does not outlive a boot is put back after it.

Phase 2 of 2, after the reboot:

  5. + load module vfio-pci  BLOCKED
       kernel.modules[vfio-pci]  (load)
       options.disable_idle_d3: (absent) -> 1
       state:                   unloaded -> loaded
       why:                     the document asks for it
       order:                   after step 1
       provisional:             planned anew when the steps before it are done; known only then: [version]
       blocked:                 module vfio-pci is not there; install the kernel's extra modules

Drift: set by an earlier run, and changed by another hand since:
  kernel.modules[nouveau]: was set to blocked, is loaded

Staged, and waiting for a reboot:
  kernel.parameters[iommu]: running (absent), next boot pt, desired pt

Unknown, and therefore left alone:
  units[ollama.service].enabled: there is no systemd

Notes:
  warning: units[ollama.service]: the unit has drop-ins
    look at them

Left as it is, since the document does not name it: 2 objects (-v lists them)

Not applyable: no step will run, not even one that is not blocked, until what blocks it is out of the way.
Plan: 1 to update, 1 to load, 1 to start, 1 to stop, 1 to unload; 1 blocked; 1 field unknown; 1 reboot; most disruption beside the reboot: stop-units (policy allows stop-units).
)text");
}

TEST(PlanText, SaysThatNothingChangesOnAHostInSync) {
  EXPECT_EQ(plan_text(quiet_plan(), {}),
            "Host kvm-gpu-07 (kernel 6.1.0-25-amd64), document kvm-gpu-07\n"
            "\n"
            "No changes. The host is as the document says.\n"
            "\n"
            "Plan: nothing to do.\n");
}

TEST(PlanText, DoesNotClaimThatAnUnreadableHostIsInSync) {
  auto plan = quiet_plan();
  plan.complete = false;
  EXPECT_EQ(plan_text(plan, {}).find("is as the document says"), std::string::npos);
}

TEST(PlanText, SaysThatOnlyARebootIsLeft) {
  auto plan = quiet_plan();
  plan.phases = {{.reboot_after = true, .steps = {}}};
  const auto text = plan_text(plan, {});
  EXPECT_NE(text.find("becomes true with the next boot"), std::string::npos);
  EXPECT_NE(text.find("Plan: nothing to do; 1 reboot."), std::string::npos);
}

TEST(PlanText, ListsUnmanagedObjectsWhenVerbose) {
  const auto text = plan_text(example_plan(), {.verbose = true});
  EXPECT_NE(text.find("  kernel.modules[kvm]: loaded\n"), std::string::npos);
  EXPECT_NE(text.find("  kernel.modules[zfs]\n"), std::string::npos);
}

TEST(PlanText, HasColoursOnlyWhenAsked) {
  EXPECT_EQ(plan_text(example_plan(), {}).find('\x1b'), std::string::npos);
  EXPECT_NE(plan_text(example_plan(), {.colour = true}).find("\x1b[31m"), std::string::npos);
}

TEST(PlanRenderings, CannotBeSteeredByTextFromTheHost) {
  auto plan = example_plan();
  const std::string hostile = "\x1b[2J\xff|`<script>\n## x";
  plan.host.name = hostile;
  plan.document = hostile;
  plan.steps[0].step.title = hostile;
  plan.steps[0].step.action.address = hostile;
  plan.steps[0].step.explanation = hostile;
  plan.steps[0].step.before = hostile;
  plan.steps[0].step.blocked_by = {hostile};
  plan.steps[1].step.affects = {{"unit", hostile}};
  plan.findings[2].reason = hostile;
  plan.notes[0].message = hostile;
  plan.drift[0].observed = hostile;
  for (const auto& text : {plan_text(plan, {.verbose = true}), plan_markdown(plan), plan_dot(plan),
                           plan_svg(plan), json_text(plan_json(plan))}) {
    EXPECT_EQ(text.find('\x1b'), std::string::npos) << text;
    EXPECT_EQ(text.find('\xff'), std::string::npos) << text;
    EXPECT_EQ(text.find("\n## x"), std::string::npos) << text;
  }
  for (const auto& text : {plan_markdown(plan), plan_svg(plan)})
    EXPECT_EQ(text.find("<script>"), std::string::npos);
}

TEST(PlanJson, NumbersThePhasesAndNamesStepsByTheirIds) {
  const auto json = plan_json(example_plan());
  EXPECT_EQ(json["phases"], Json::parse(R"([
    {"number": 1, "steps": ["s1", "s2", "s3", "s4"], "barrier": "reboot"},
    {"number": 2, "steps": ["s5"], "barrier": null}])"));
  EXPECT_EQ(json["changes"][3]["requires"], Json::parse(R"(["s2", "s3"])"));
  EXPECT_EQ(json["changes"][3]["releases"], "s2");
  EXPECT_EQ(json["changes"][4]["phase"], 2);
}

TEST(PlanJson, CountsActionsAndTheWorst) {
  EXPECT_EQ(plan_json(example_plan())["summary"], Json::parse(R"({
    "create": 0, "update": 1, "delete": 0, "load": 1, "start": 1, "stop": 1, "unload": 1, "blocked": 1,
    "disruption": "stop-units", "allowed": "stop-units", "reboots": 1, "phases": 2})"));
}

TEST(PlanJson, SaysWhomAStepHits) {
  EXPECT_EQ(plan_json(example_plan())["changes"][1]["affects"],
            Json::parse(R"([{"type": "unit", "name": "ollama.service"},
                            {"type": "process", "name": "ollama", "pid": 812}])"));
}

TEST(PlanJson, HasTheUnknownPartsAmongTheDiagnostics) {
  EXPECT_EQ(plan_json(example_plan())["diagnostics"], Json::parse(R"([
    {"severity": "warning", "address": "units[ollama.service]", "message": "the unit has drop-ins",
     "advice": "look at them"},
    {"severity": "unknown", "address": "units[ollama.service].enabled", "message": "there is no systemd"}])"));
}

TEST(PlanJson, IsIdentifiedByItsContent) {
  auto json = plan_json(example_plan());
  const auto id = json["plan_id"];
  json.erase("plan_id");
  EXPECT_EQ(id, sha256(json_line(json)));
  auto other = example_plan();
  other.steps[0].step.after["next_boot"] = "off";
  EXPECT_NE(plan_json(other)["plan_id"], id);
}

TEST(PlanMarkdown, ShowsEveryStepInATableOfItsPhase) {
  EXPECT_EQ(plan_markdown(example_plan()),
            R"md(### gpuhost plan: kvm-gpu-07 on kvm-gpu-07 (kernel 6.1.0-25-amd64)

**Not applyable: 1 to update, 1 to load, 1 to start, 1 to stop, 1 to unload; 1 blocked; 1 field unknown; 1 reboot; most disruption beside the reboot: stop-units (policy allows stop-units).**

#### Phase 1: now

| # | change | from and to | disturbs | why and when |
|---|---|---|---|---|
| 1 | set kernel parameter intel\_iommu=on<br>`kernel.parameters[intel_iommu]` | running: `(absent)`<br>next boot: `(absent) -> on` | nobody | the document asks for it; true after the next boot |
| 2 | stop unit ollama.service<br>`units[ollama.service]` | `active -> inactive` | stop-units: unit ollama.service, process ollama (pid 812) | prerequisite of step 3 |
| 3 | unload module nouveau<br>`kernel.modules[nouveau]` | state: `loaded -> blocked` | nobody | gpuhost had set it, and it was changed by another hand since<br>after step 2<br>gpuhost did not make it |
| 4 | start unit ollama.service<br>`units[ollama.service]` | `inactive -> active` | nobody | undoes step 2<br>after steps 2, 3 |

**Reboot here.**

#### Phase 2: after the reboot

| # | change | from and to | disturbs | why and when |
|---|---|---|---|---|
| 5 | load module vfio-pci<br>`kernel.modules[vfio-pci]` | options.disable\_idle\_d3: `(absent) -> 1`<br>state: `unloaded -> loaded` | nobody | the document asks for it<br>after step 1<br>provisional: planned anew when the steps before it are done<br>**blocked:** module vfio-pci is not there; install the kernel's extra modules |

#### Drift

- `kernel.modules[nouveau]`: was set to `blocked`, is `loaded`

#### Waiting for a reboot

- `kernel.parameters[iommu]`: `running (absent), next boot pt`, desired `pt`

#### Unknown

- `units[ollama.service].enabled`: there is no systemd

#### Notes

- `units[ollama.service]`: the unit has drop-ins; look at them

2 objects left as they are, since the document does not name them.
)md");
}

TEST(PlanDot, DrawsPhasesOrderAndTheReboot) {
  EXPECT_EQ(plan_dot(example_plan()), R"dot(digraph plan {
  rankdir=TB;
  node [shape=box];
  label="kvm-gpu-07: 1 to update, 1 to load, 1 to start, 1 to stop, 1 to unload; 1 blocked; 1 field unknown; 1 reboot; most disruption beside the reboot: stop-units (policy allows stop-units)";
  subgraph cluster_1 {
    label="phase 1";
    "s1" [label="1. set kernel parameter intel_iommu=on"];
    "s2" [label="2. stop unit ollama.service [stop-units]"];
    "s3" [label="3. unload module nouveau"];
    "s4" [label="4. start unit ollama.service"];
  }
  subgraph cluster_2 {
    label="phase 2";
    "s5" [label="5. load module vfio-pci", style=dashed, color=red];
  }
  "s2" -> "s3";
  "s2" -> "s4";
  "s3" -> "s4";
  reboot_1 [label="reboot", shape=octagon];
  "s1" -> reboot_1;
  "s2" -> reboot_1;
  "s3" -> reboot_1;
  "s4" -> reboot_1;
  reboot_1 -> "s5";
}
)dot");
}

}  // namespace
}  // namespace gpuhost
