#include <gmock/gmock.h>

#include "kinds/gpu_facts.hpp"
#include "kinds/vm_binding/vm_binding.hpp"
#include "support/gpu_plans.hpp"
#include "support/guests.hpp"

namespace gpuhost::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

/// A step of another kind that needs the vGPU idle, or ends it.
class Taker final : public Kind {
 public:
  explicit Taker(Step step) : step_(std::move(step)) {}
  struct Nothing final : Observation {
    [[nodiscard]] Json describe() const override { return {}; }
  };
  [[nodiscard]] std::string_view name() const override { return "taker"; }
  [[nodiscard]] std::unique_ptr<const Observation> observe(const HostView&) const override {
    return std::make_unique<Nothing>();
  }
  [[nodiscard]] Proposal plan(const Observation&, const PlanInput&) const override {
    Proposal proposal;
    proposal.steps.push_back(step_);
    return proposal;
  }
  [[nodiscard]] std::optional<Truth> holds(const Fact& fact, const Observation&) const override {
    if (fact == gpu_facts::present(vgpu) || fact.state == "bound to vfio-pci") return Truth::of(true);
    return std::nullopt;
  }
  [[nodiscard]] Result<bool> satisfied(const StepAction&, const HostView&) const override { return false; }
  [[nodiscard]] Result<std::optional<Undo>> undo_of(const StepAction&, const HostView&) const override {
    return std::nullopt;
  }
  Result<void> run(const StepAction&, Host&) const override { return {}; }

 private:
  Step step_;
};

Plan plan_with(Step step, std::unique_ptr<Kind> binding, const FakeHost& host,
               const Policy& policy = {.disruption = Disruption::stop_guests}) {
  Kinds kinds;
  step.action = {"taker", "take", "taker", Json()};
  kinds.push_back(std::make_unique<Taker>(std::move(step)));
  kinds.push_back(std::move(binding));
  return plan_of(kinds, host, policy);
}

Step taking(std::vector<Fact> ends = {}) {
  return {.title = "take it", .needs = {gpu_facts::without("train", vgpu)}, .ends = std::move(ends)};
}

TEST(VmBindingBrackets, AGuestIsStoppedForAStepAndStartedAgain) {
  const auto host = host_with(on("train", vgpu_element));
  const auto plan = plan_with(taking(), make_vm_binding({}, {}), host);
  EXPECT_TRUE(plan.applyable());
  EXPECT_THAT(titles(plan), ElementsAre("stop VM train", "take it", "start VM train"));
  EXPECT_THAT(plan.steps[0].step.affects, ElementsAre(Affected{.type = "vm", .name = "train"}));
}

TEST(VmBindingBrackets, AGuestWhoseDeviceWouldBeGoneIsNotStopped) {
  const auto host = host_with(on("train", vgpu_element));
  const auto plan = plan_with(taking({gpu_facts::present(vgpu)}), make_vm_binding({}, {}), host);
  EXPECT_FALSE(plan.applyable());
  EXPECT_THAT(plan.steps.back().step.blocked_by,
              ElementsAre(HasSubstr("after \"take it\" it is no longer so that vgpu")));
}

/// libvirt would take a managed device back when the guest starts, and the two would fight over it.
TEST(VmBindingBrackets, NorIsAGuestWhoseManagedDeviceIsTakenForTheHost) {
  auto managed = gpu_element;
  managed.replace(managed.find("managed='no'"), 12, "managed='yes'");
  const auto host = host_with(on("train", managed + vgpu_element));
  const auto plan = plan_with(taking({gpu_facts::bound(gpu, "vfio-pci")}), make_vm_binding({}, {}), host);
  EXPECT_THAT(plan.steps.back().step.blocked_by, ElementsAre(HasSubstr("bound to vfio-pci")));
}

TEST(VmBindingBrackets, AGuestWithHostDevicesIsNotSaved) {
  const auto host = host_with(on("train", vgpu_element));
  const auto plan = plan_with(
      taking(), make_vm_binding({}, {}), host,
      {.disruption = Disruption::stop_guests, .guest_stop_method = Policy::StopMethod::managed_save});
  EXPECT_THAT(plan.steps.front().step.blocked_by, ElementsAre(HasSubstr("guestStop.method: shutdown")));
}

TEST(VmBindingBrackets, UnlessItsNewDefinitionDoesWithoutIt) {
  const auto host = host_with(on("train", vgpu_element));
  const auto plan =
      plan_with(taking({gpu_facts::present(vgpu)}), Document().devices({{whole, "right"}}).kind(), host);
  EXPECT_TRUE(plan.applyable()) << titles(plan).size();
  const auto all = titles(plan);
  const auto at = [&](const std::string& title) { return std::ranges::find(all, title) - all.begin(); };
  EXPECT_LT(at("define VM train with its NVIDIA devices"), at("start VM train"));
}

TEST(VmBindingBrackets, AGuestThatTheDocumentStopsStaysOff) {
  const auto host = host_with(on("train", vgpu_element));
  const auto plan =
      plan_with(taking({gpu_facts::present(vgpu)}), Document().state(VmSpec::State::stopped).kind(), host);
  EXPECT_TRUE(plan.applyable());
  EXPECT_THAT(titles(plan), ElementsAre("stop VM train", "take it"));
}

TEST(VmBindingBrackets, GuestsOfOthersAreNeverStopped) {
  const auto host = host_with(on("train", vgpu_element, nova));
  const auto plan = plan_with(taking(), make_vm_binding({}, {}), host);
  EXPECT_THAT(titles(plan), ElementsAre("take it"));
  EXPECT_THAT(plan.steps[0].step.blocked_by,
              ElementsAre("VM train belongs to OpenStack Nova: stop or migrate it there"));
}

TEST(VmBindingBrackets, HotUnplugSparesTheGuestAStop) {
  const auto host = host_with(on("train", vgpu_element));
  const auto plan = plan_with(taking(), Document().devices({}).attach(VmSpec::Attach::live).kind(), host);
  const auto all = titles(plan);
  EXPECT_EQ(std::ranges::find(all, "stop VM train"), all.end());
  EXPECT_LT(std::ranges::find(all, "unplug " + vgpu.to_string() + " from running VM train"),
            std::ranges::find(all, "take it"));
}

TEST(VmBindingBrackets, ATransientGuestIsNotStopped) {
  auto domain = on("train", vgpu_element);
  domain.persistent = false;
  domain.definition.clear();
  const auto plan = plan_with(taking(), make_vm_binding({}, {}), host_with(domain));
  EXPECT_THAT(titles(plan), ElementsAre("take it"));
  EXPECT_THAT(plan.steps[0].step.blocked_by, ElementsAre(HasSubstr("is transient")));
}

TEST(VmBindingBrackets, AGuestOfWhomNothingCanBeReadIsNotStopped) {
  auto host = host_with(on("train", vgpu_element));
  host.guests->at("train").definition = "<domain>";
  const auto plan = plan_with(taking(), make_vm_binding({}, {}), host);
  EXPECT_THAT(titles(plan), ElementsAre("take it"));
  EXPECT_THAT(plan.steps[0].step.blocked_by, ElementsAre(HasSubstr("cannot be read, nor whose it is")));
}

TEST(VmBindingBrackets, AProtectedVmBlocksWhateverTouchesIt) {
  const Policy policy{.disruption = Disruption::stop_guests, .protected_vms = {"train"}};
  const auto host = host_with(on("train", vgpu_element));
  for (const auto& document : {Document().devices({}), Document()}) {
    const auto plan = plan_with(taking(), document.kind(), host, policy);
    EXPECT_FALSE(plan.applyable());
    EXPECT_THAT(plan.steps[0].step.blocked_by, Contains(HasSubstr("VM train is protected")));
  }
}

TEST(VmBindingBrackets, AGuestIsNotStoppedAgainstThePolicy) {
  const auto plan = plan_with(taking(), make_vm_binding({}, {}), host_with(on("train", vgpu_element)), {});
  EXPECT_FALSE(plan.applyable());
  EXPECT_THAT(plan.steps[0].step.blocked_by, Contains(HasSubstr("needs disruption stop-guests (vm train)")));
}

TEST(VmBindingBrackets, AVmThatIsLeftAloneComesBackAsItIs) {
  auto host = host_with(on("train", vgpu_element));
  for (const auto* file : {"/vendor", "/class"}) host.files.erase(pci_devices + gpu.to_string() + file);
  auto document = Document().devices({{whole, "right"}});
  document.missing = GpuSelector::Missing::skip;
  const auto plan = plan_with(taking({gpu_facts::present(vgpu)}), document.kind(), host);
  EXPECT_FALSE(plan.applyable());
  EXPECT_THAT(plan.steps.back().step.blocked_by,
              ElementsAre(HasSubstr("after \"take it\" it is no longer so that vgpu")));
}

TEST(VmBindingBrackets, AGuestIsStartedWithItsNewDefinition) {
  const auto host = host_with(on("train", vgpu_element));
  const auto plan = plan_with(
      taking(), Document().devices({{whole, "right"}}).attach(VmSpec::Attach::next_start).kind(), host);
  EXPECT_TRUE(plan.applyable());
  const auto start = std::ranges::find(plan.steps, "start VM train",
                                       [](const PlannedStep& planned) { return planned.step.title; });
  ASSERT_NE(start, plan.steps.end());
  EXPECT_THAT(start->step.needs,
              UnorderedElementsAre(gpu_facts::bound(gpu, "vfio-pci"), gpu_facts::defined("train")));
}

}  // namespace
}  // namespace gpuhost::testing
