#include <gmock/gmock.h>

#include "kinds/gpu_facts.hpp"
#include "kinds/one_pass.hpp"
#include "kinds/vgpu/params.hpp"
#include "kinds/vgpu/vgpu.hpp"
#include "support/vgpus.hpp"

namespace gpuhost::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string uuid = uuid_of("left/train/0");
const std::string address = "gpu[left].vgpu[train/0]";

StepAction create(const std::string& parent = a100_functions[0], Json params = Json::object()) {
  return {"vgpu",
          "create",
          address,
          {{"uuid", uuid}, {"type", "A100-8C"}, {"parent", parent}, {"params", std::move(params)}}};
}

StepAction remove() {
  return {"vgpu", "remove", address, {{"uuid", uuid}}};
}

StepAction set_params(Json params, Json dropped = Json::array()) {
  return {"vgpu",
          "set_params",
          address,
          {{"uuid", uuid}, {"params", std::move(params)}, {"dropped", std::move(dropped)}}};
}

struct OnA100 {
  VgpuHost host;
  std::unique_ptr<Kind> kind = make_vgpu({});
  OnA100() { host.add_a100(); }

  Result<void> run(const StepAction& action) {
    auto changing = host.fake.host();
    return kind->run(action, changing);
  }
  [[nodiscard]] Result<bool> satisfied(const StepAction& action) const {
    return kind->satisfied(action, host.fake.view());
  }
  /// The message and the advice of the run's error.
  std::string error(const StepAction& action) {
    const auto ran = run(action);
    return ran ? "" : ran.error().message + "; " + ran.error().advice;
  }
};

TEST(VgpuActions, CreateFindsTheTypeByName) {
  OnA100 on;
  EXPECT_EQ(on.satisfied(create()), false);
  ASSERT_TRUE(on.run(create()));
  EXPECT_EQ(on.satisfied(create()), true);
  EXPECT_THAT(on.host.log, ElementsAre("create 0000:41:00.4 nvidia-470"));
  ASSERT_TRUE(on.run(create()));
  EXPECT_EQ(on.host.log.size(), 1U);
  EXPECT_EQ(on.satisfied(create(a100_functions[1])), false);
}

TEST(VgpuActions, CreateWaitsForTheDevice) {
  OnA100 on;
  on.host.appears_late = true;
  ASSERT_TRUE(on.run(create()));
  EXPECT_EQ(on.satisfied(create()), true);
  OnA100 never;
  never.host.appears_late = true;
  never.host.fake.on_wait = [] {};
  EXPECT_THAT(never.error(create()), HasSubstr("did not appear within"));
}

TEST(VgpuActions, CreateSetsParametersAndReadsThemBack) {
  OnA100 on;
  const Json params{{"enable_uvm", "1"}, {"disable_vnc", "1"}};
  ASSERT_TRUE(on.run(create(a100_functions[0], params)));
  EXPECT_EQ(on.host.params(uuid), "disable_vnc=1, enable_uvm=1\n");
  EXPECT_EQ(on.satisfied(create(a100_functions[0], params)), true);
  OnA100 deaf;
  deaf.host.deaf = true;
  EXPECT_THAT(deaf.error(create(a100_functions[0], params)), HasSubstr("read back otherwise"));
}

TEST(VgpuActions, CreateGoesOnAfterACrash) {
  OnA100 on;
  const auto action = create(a100_functions[0], {{"enable_uvm", "1"}});
  on.host.writes_left = 1;
  EXPECT_FALSE(on.run(action));
  EXPECT_EQ(on.satisfied(action), false);
  on.host.writes_left = 1000;
  ASSERT_TRUE(on.run(action));
  EXPECT_EQ(on.satisfied(action), true);
  EXPECT_THAT(on.host.log, ElementsAre("create 0000:41:00.4 nvidia-470", "params 'enable_uvm=1'"));
}

TEST(VgpuActions, CreateRefusesAUuidThatIsTaken) {
  OnA100 on;
  on.host.add_vgpu(uuid, a100_functions[1], "nvidia-468");
  EXPECT_THAT(on.error(create()),
              AllOf(HasSubstr("A100-4C on 0000:41:00.5 already"), HasSubstr("plan again")));
  EXPECT_THAT(on.host.log, IsEmpty());
}

TEST(VgpuActions, CreateLosesARaceWithGrace) {
  OnA100 on;
  on.host.refusal = Error{ErrorKind::io, "File exists"};
  on.host.fake.on_attribute = [&on](const std::string&, std::string_view) -> Result<void> {
    on.host.add_vgpu(uuid, a100_functions[0], "nvidia-470");
    return fail(ErrorKind::io, "File exists");
  };
  EXPECT_TRUE(on.run(create()));
  on.host.remove_vgpu(uuid);
  on.host.fake.on_attribute = [&on](const std::string&, std::string_view) -> Result<void> {
    on.host.add_vgpu(uuid, a100_functions[0], "nvidia-468");
    return fail(ErrorKind::io, "File exists");
  };
  EXPECT_THAT(on.error(create()), HasSubstr("A100-4C on 0000:41:00.4 already"));
}

TEST(VgpuActions, CreateSaysWhatTheDriverSaid) {
  OnA100 on;
  on.host.refusal = Error{ErrorKind::io, "No space left on device"};
  on.host.set_available(a100_functions[0], "nvidia-470", 0);
  EXPECT_THAT(on.error(create()),
              AllOf(HasSubstr("the driver makes no vGPU A100-8C on 0000:41:00.4: No space left on device"),
                    HasSubstr("it has 0 more of this type")));
}

TEST(VgpuActions, CreateSaysWhatIsOfferedInPlaceOfAType) {
  OnA100 on;
  auto action = create();
  action.arguments["type"] = "A100-80C";
  EXPECT_THAT(on.error(action),
              AllOf(HasSubstr("does not offer the vGPU type A100-80C"), HasSubstr("A100-4C")));
  on.host.withdraw_types(a100_functions[0]);
  EXPECT_THAT(on.error(create()), HasSubstr("no vGPU can be made on 0000:41:00.4"));
}

TEST(VgpuActions, RemoveIsDoneWhenItIsGone) {
  OnA100 on;
  on.host.add_vgpu(uuid, a100_functions[0], "nvidia-470");
  EXPECT_EQ(on.satisfied(remove()), false);
  ASSERT_TRUE(on.run(remove()));
  EXPECT_EQ(on.satisfied(remove()), true);
  ASSERT_TRUE(on.run(remove()));
  EXPECT_THAT(on.host.log, ElementsAre("remove"));
}

TEST(VgpuActions, NothingIsWrittenToAVgpuThatAGuestHas) {
  OnA100 on;
  on.host.add_vgpu(uuid, a100_functions[0], "nvidia-470");
  on.host.add_guest("busy-01", uuid);
  const auto removed = on.run(remove());
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().kind, ErrorKind::busy);
  EXPECT_THAT(removed.error().message, HasSubstr("in use by VM busy-01"));
  EXPECT_FALSE(on.run(set_params({{"enable_uvm", "1"}})));
  on.host.fake.guests->clear();
  on.host.fake.processes_error = Error{ErrorKind::denied, "only root can tell"};
  EXPECT_THAT(on.error(remove()), HasSubstr("only root can tell"));
  EXPECT_EQ(on.host.fake.writes, 0U);
}

TEST(VgpuActions, RemoveThatDoesNothingIsAnError) {
  OnA100 on;
  on.host.add_vgpu(uuid, a100_functions[0], "nvidia-470");
  on.host.fake.on_attribute = [](const std::string&, std::string_view) { return Result<void>{}; };
  EXPECT_THAT(on.error(remove()), HasSubstr("is still there"));
  on.host.fake.on_attribute = [](const std::string&, std::string_view) -> Result<void> {
    return fail(ErrorKind::busy, "Device or resource busy");
  };
  EXPECT_THAT(on.error(remove()), HasSubstr("cannot remove vGPU " + uuid));
}

TEST(VgpuActions, SetParamsKeepsWhatIsNotItsOwn) {
  OnA100 on;
  on.host.add_vgpu(uuid, a100_functions[0], "nvidia-470");
  on.host.fake.files[mdev_devices + uuid + "/nvidia/vgpu_params"] = "a=1, b=2, c=3\n";
  const auto action = set_params({{"b", "5"}}, Json::array({"c", "d"}));
  EXPECT_EQ(on.satisfied(action), false);
  ASSERT_TRUE(on.run(action));
  EXPECT_EQ(on.host.params(uuid), "a=1, b=5\n");
  EXPECT_EQ(on.satisfied(action), true);
}

TEST(VgpuActions, DamagedStepsAreErrors) {
  OnA100 on;
  for (const auto& arguments : {Json(), Json::array(), Json{{"uuid", 7}}, Json{{"uuid", "x"}}}) {
    EXPECT_FALSE(on.run({"vgpu", "create", address, arguments}));
    EXPECT_FALSE(on.satisfied({"vgpu", "remove", address, arguments}));
  }
  EXPECT_FALSE(on.run({"vgpu", "melt", address, {{"uuid", uuid}}}));
  EXPECT_FALSE(on.satisfied({"vgpu", "melt", address, {{"uuid", uuid}}}));
  EXPECT_FALSE(on.run({"vgpu", "create", address, {{"uuid", uuid}}}));
  EXPECT_FALSE(on.satisfied({"vgpu", "create", address, {{"uuid", uuid}}}));
  EXPECT_TRUE(on.run({"vgpu", "forget", address, {{"uuid", uuid}}}));
}

TEST(VgpuParams, AreReadAsTheyAreWritten) {
  EXPECT_EQ(to_text(parse_vgpu_params(" b=2 ,a = 1,\n")), "a=1, b=2");
  EXPECT_EQ(parse_vgpu_params("\n"), VgpuParams{});
  EXPECT_EQ(parse_vgpu_params("nonsense"), VgpuParams{});
  EXPECT_EQ(to_text({}), " ");
}

/// Who needs a GPU without vGPUs for a while gets it so, and the vGPUs come back as they were.
TEST(VgpuActions, WhatIsInTheWayIsLentAndMadeAgain) {
  OnA100 on;
  ASSERT_TRUE(on.run(create(a100_functions[2], {{"enable_uvm", "1"}})));
  const auto there = on.host.vgpu(uuid);
  const auto seen = on.kind->observe(on.host.fake.view());
  const Ownership owned;
  const Policy policy;
  const PlanInput input{"doc", owned, policy};
  const auto whole = on.kind->offer(gpu_facts::without_vgpus(*PciAddress::parse(a100)), *seen, input);
  ASSERT_EQ(whole.size(), 1U);
  ASSERT_THAT(whole[0].needs, ElementsAre(Fact{"vgpu/" + uuid, "absent"}));
  const auto one = on.kind->offer(whole[0].needs[0], *seen, input);
  ASSERT_EQ(one.size(), 1U);
  EXPECT_THAT(one[0].acquire->provides, ElementsAre(whole[0].needs[0]));
  EXPECT_THAT(one[0].release->ends, ElementsAre(whole[0].needs[0]));
  ASSERT_TRUE(on.run(one[0].acquire->action));
  EXPECT_THAT(on.host.vgpus(), IsEmpty());
  ASSERT_TRUE(on.run(one[0].release->action));
  EXPECT_EQ(on.host.vgpu(uuid), there);
  EXPECT_EQ(on.host.params(uuid), "enable_uvm=1\n");
}

}  // namespace
}  // namespace gpuhost::testing
