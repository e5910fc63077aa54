#include "host/real/nvml/nvml_gpus.hpp"

#include <memory>
#include <thread>

#include <unistd.h>

#include "host/real/nvml/mig_report.hpp"
#include "nvml/fake_driver.hpp"
#include "support/mig_profiles.hpp"

namespace gpuhost {
namespace {

using testing::a100;
using testing::a40;
using NvmlGpusOnFake = testing::OnFakeDriver;

/// On today's library, and on one that lacks what later versions added.
class NvmlGpusOnEither : public NvmlGpusOnFake, public ::testing::WithParamInterface<const char*> {
 protected:
  NvmlGpusOnEither() { library = GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(Libraries, NvmlGpusOnEither,
                         ::testing::Values(GPUHOST_NVML_TODAY, GPUHOST_NVML_OLDER),
                         [](const auto& given) { return given.index == 0 ? "Today" : "Older"; });

TEST_P(NvmlGpusOnEither, TellsWhatTheDriverHas) {
  const auto gpu = report();
  EXPECT_EQ(gpu.uuid, "GPU-11111111-2222-3333-4444-555555555555");
  EXPECT_EQ(gpu.product, "NVIDIA A100-PCIE-40GB");
  EXPECT_EQ(*gpu.serial, "1563221011234");
  EXPECT_EQ(*gpu.ecc, (GpuSwitch{true, true}));
  ASSERT_TRUE(gpu.mig);
  EXPECT_EQ(gpu.mig->mode, GpuSwitch{});
  EXPECT_TRUE(gpu.mig->instances.is_absent()) << "the mode is off";
  const auto other = report(a40);
  EXPECT_TRUE(other.mig.is_absent());
  EXPECT_TRUE(other.serial.is_absent());
  EXPECT_EQ(*gpu.vgpu_types,
            (std::map<unsigned, std::string>{{468, "GRID A100-4C"}, {476, "GRID A100-3-20C"}}));
  EXPECT_TRUE(other.vgpu_types.is_absent());
}

TEST_P(NvmlGpusOnEither, ProfilesAreThoseOfTheGpuByName) {
  auto profiles = *report().mig->profiles;
  for (auto& profile : profiles) profile.memory_mb = 0;
  EXPECT_EQ(profiles, testing::a100_profiles()) << "the older library tells no names";
}

TEST_P(NvmlGpusOnEither, LayoutsAreMadeAndTakenDown) {
  partition();
  const auto half = gpus().create_gpu_instance(a100, 9, {4, 4});
  ASSERT_TRUE(half) << half.error().sentence();
  EXPECT_EQ(half->id, 2U);
  const auto error = gpus().create_gpu_instance(a100, 9, {4, 4}).error();
  EXPECT_EQ(error.kind, ErrorKind::busy);
  EXPECT_EQ(error.message,
            "cannot create a GPU instance of profile 9 at 4:4 on GPU 0000:41:00.0: Insufficient Resources");
  EXPECT_EQ(refusal(gpus().create_gpu_instance(a100, 9, {2, 4})), ErrorKind::invalid);
  EXPECT_EQ(gpus().create_compute_instance(a100, 2, 2)->placement, (MigPlacement{0, 2}));
  EXPECT_EQ(gpus().create_compute_instance(a100, 2, 1)->placement, (MigPlacement{2, 1}));
  EXPECT_EQ(refusal(gpus().create_compute_instance(a100, 2, 1)), ErrorKind::busy);
  ASSERT_EQ(instances().size(), 1U);
  EXPECT_EQ(instances()[0].compute_instances, (std::vector<ComputeInstance>{{0, {0, 2}}, {1, {2, 1}}}));
  EXPECT_TRUE(gpus().destroy_compute_instance(a100, 2, 0));
  EXPECT_EQ(refusal(gpus().destroy_compute_instance(a100, 2, 0)), ErrorKind::not_found);
  EXPECT_TRUE(gpus().destroy_gpu_instance(a100, 2)) << "with what is left in it";
  EXPECT_TRUE(instances().empty());
  EXPECT_EQ(refusal(gpus().destroy_gpu_instance(a100, 2)), ErrorKind::not_found);
}

TEST_F(NvmlGpusOnFake, StructsOfAnOlderVersionDo) {
  const auto newest = *report().mig->profiles;
  for (const unsigned version : {2U, 1U}) {
    with_state([&](Json& json) { json["struct_version"] = version; });
    EXPECT_EQ(*report().mig->profiles, newest) << version;
  }
}

TEST_F(NvmlGpusOnFake, AnInstanceThatIsUsedStaysWhole) {
  partition();
  ASSERT_TRUE(gpus().create_gpu_instance(a100, 9, {0, 4}));
  ASSERT_TRUE(gpus().create_compute_instance(a100, 1, 3));
  with_state([](Json& json) { json["gpus"][0]["instances"][0]["processes"] = {::getpid()}; });
  EXPECT_EQ(instances()[0].processes, std::vector<int>{::getpid()});
  EXPECT_EQ(refusal(gpus().destroy_gpu_instance(a100, 1)), ErrorKind::busy);
  EXPECT_EQ(instances()[0].compute_instances.size(), 1U);
  with_state([](Json& json) {
    json["gpus"][0]["instances"][0]["processes"] = Json::array();
    json["gpus"][0]["instances"][0]["vgpus"] = 2;
  });
  EXPECT_EQ(instances()[0].vgpus, 2U);
  EXPECT_EQ(gpus().destroy_gpu_instance(a100, 1).error().message,
            "cannot destroy GPU instance 1 of GPU 0000:41:00.0: a vGPU is on it");
}

TEST_F(NvmlGpusOnFake, AModeStaysPendingWhileSomebodyHoldsTheGpu) {
  with_state([](Json& json) { json["gpus"][0]["held"] = true; });
  EXPECT_EQ(*gpus().set_mig_mode(a100, true), (GpuSwitch{false, true}));
  EXPECT_EQ(refusal(gpus().create_gpu_instance(a100, 9, {0, 4})), ErrorKind::unsupported);
  EXPECT_EQ(refusal(gpus().set_mig_mode(a40, true)), ErrorKind::unsupported);
}

TEST_P(NvmlGpusOnEither, EccWaitsForAReset) {
  EXPECT_EQ(*gpus().set_ecc(a100, false), (GpuSwitch{true, false}));
  EXPECT_EQ(*report().ecc, (GpuSwitch{true, false}));
  with_state([](Json& json) { json["gpus"][0].erase("ecc"); });
  EXPECT_EQ(refusal(gpus().set_ecc(a100, true)), ErrorKind::unsupported);
  EXPECT_TRUE(report().ecc.is_absent());
}

TEST_F(NvmlGpusOnFake, EccThatIsNotSetIsNoSuccess) {
  fail_call("nvmlDeviceSetEccMode", nvml::success);
  EXPECT_EQ(refusal(gpus().set_ecc(a100, false)), ErrorKind::mismatch);
  with_state([](Json& json) { json["privileged"] = false; });
  EXPECT_EQ(refusal(gpus().set_ecc(a100, false)), ErrorKind::denied);
}

TEST_F(NvmlGpusOnFake, TheSchedulerIsSetWhileNoVgpuIsThere) {
  using Policy = VgpuScheduler::Policy;
  EXPECT_EQ(*report().scheduler, VgpuScheduler{});
  ASSERT_TRUE(gpus().set_scheduler(a100, {.policy = Policy::equal_share}));
  auto now = *report().scheduler;
  EXPECT_EQ(now.policy, Policy::equal_share);
  EXPECT_EQ(now.averaging, 33U) << "the driver's own";
  ASSERT_TRUE(gpus().set_scheduler(
      a100, {.policy = Policy::fixed_share, .timeslice_ns = 1'000'000'000 / 960, .averaging = 60}));
  now = *report().scheduler;
  EXPECT_EQ(now, (VgpuScheduler{
                     .policy = Policy::fixed_share, .timeslice_ns = 1'000'000'000 / 960, .averaging = 60}));
  ASSERT_TRUE(gpus().set_scheduler(
      a100, {.policy = Policy::equal_share, .round_robin = false, .timeslice_ns = 3'000'000}));
  now = *report().scheduler;
  EXPECT_EQ(now,
            (VgpuScheduler{.policy = Policy::equal_share, .round_robin = false, .timeslice_ns = 3'000'000}));
  with_state([](Json& json) { json["gpus"][0]["vgpus"] = 1; });
  EXPECT_EQ(refusal(gpus().set_scheduler(a100, {})), ErrorKind::unsupported);
  EXPECT_TRUE(report(a40).scheduler.is_absent());
}

TEST_F(NvmlGpusOnFake, MixedSizesAreChosenWhileNoVgpuIsThere) {
  EXPECT_EQ(*report().mixed_sizes, false);
  ASSERT_TRUE(gpus().set_mixed_sizes(a100, true));
  EXPECT_EQ(*report().mixed_sizes, true);
  fail_call("nvmlDeviceSetVgpuHeterogeneousMode", nvml::success);
  EXPECT_EQ(refusal(gpus().set_mixed_sizes(a100, false)), ErrorKind::mismatch);
  with_state([](Json& json) { json["gpus"][0]["vgpus"] = 1; });
  EXPECT_EQ(refusal(gpus().set_mixed_sizes(a100, false)), ErrorKind::busy);
  EXPECT_TRUE(report(a40).mixed_sizes.is_absent());
  partition();
  EXPECT_TRUE(report().mixed_sizes.is_absent()) << "MIG takes its place";
  library = GPUHOST_NVML_OLDER;
  EXPECT_TRUE(report().scheduler.is_absent());
}

TEST_F(NvmlGpusOnFake, LicencesAreAskedForByTheDriverOrNot) {
  EXPECT_TRUE(report().workstation_licensed.is_absent());
  with_state([](Json& json) {
    json["gpus"][0]["licensed"] = true;
    json["gpus"][1]["licensed"] = false;
  });
  EXPECT_EQ(*report().workstation_licensed, true);
  EXPECT_EQ(*report(a40).workstation_licensed, false);
  fail_call("nvmlDeviceGetGridLicensableFeatures_v4", nvml::not_supported);
  EXPECT_TRUE(report().workstation_licensed.is_absent());
  fail_call("nvmlDeviceGetGridLicensableFeatures_v4", nvml::unknown);
  EXPECT_TRUE(report().workstation_licensed.is_unknown());
  library = GPUHOST_NVML_OLDER;
  EXPECT_TRUE(report().workstation_licensed.is_unknown()) << "it does not know the question";
}

TEST_F(NvmlGpusOnFake, WithoutRightsALayoutIsUnknownAndNotEmpty) {
  partition();
  with_state([](Json& json) { json["privileged"] = false; });
  const auto mig = report().mig;
  EXPECT_EQ(mig->mode, (GpuSwitch{true, true}));
  EXPECT_TRUE(mig->profiles.is_unknown());
  ASSERT_TRUE(mig->instances.is_unknown());
  EXPECT_TRUE(mig->instances.reason().ends_with("Insufficient Permissions")) << mig->instances.reason();
  EXPECT_EQ(refusal(gpus().set_mig_mode(a100, false)), ErrorKind::denied);
}

TEST_F(NvmlGpusOnFake, TheDriverIsClosedAfterEachCall) {
  partition();
  static_cast<void>(gpus().create_gpu_instance(a100, 9, {2, 4}));
  static_cast<void>(report());
  EXPECT_TRUE(state()["sessions"].empty());
  const unsigned before = state()["opened"];
  static_cast<void>(report());
  EXPECT_EQ(state()["opened"], before + 1) << "one session for a look";
}

TEST_F(NvmlGpusOnFake, NothingIsLoadedWithoutTheDriver) {
  auto without = places();
  without.library = "/nowhere/libnvidia-ml.so.1";
  without.control_node = scratch.path("/not-there");
  EXPECT_EQ(NvmlGpus(without).gpus().error().message,
            "NVIDIA's driver cannot be reached (" + scratch.path("/not-there") + " is missing)");
  without.module = scratch.path("/no-module");
  EXPECT_EQ(NvmlGpus(without).gpus().error().message,
            "NVIDIA's driver is not loaded (" + scratch.path("/no-module") + " is missing)");
  auto unloadable = places();
  unloadable.library = "/nowhere/libnvidia-ml.so.1";
  const auto error = NvmlGpus(unloadable).gpus().error();
  EXPECT_EQ(error.kind, ErrorKind::unavailable);
  EXPECT_TRUE(error.message.starts_with("cannot load NVIDIA's management library: /nowhere/"))
      << error.message;
}

TEST_F(NvmlGpusOnFake, AnotherLibraryIsNoneOfNvidias) {
  auto other = places();
  other.library = "libm.so.6";
  EXPECT_EQ(NvmlGpus(other).gpus().error().message, "libm.so.6 is no management library of NVIDIA's");
}

TEST_F(NvmlGpusOnFake, ALibraryOfAnotherDriverSaysSo) {
  fail_call("nvmlInitWithFlags", nvml::lib_rm_version_mismatch);
  const auto error = gpus().gpus().error();
  EXPECT_EQ(error.kind, ErrorKind::unavailable);
  EXPECT_EQ(error.message, "cannot open NVIDIA's driver: Driver/library version mismatch");
  EXPECT_TRUE(gpus().gpus()) << "and nothing is left open of the try";
}

TEST_F(NvmlGpusOnFake, WhatOneGpuDoesNotTellIsUnknown) {
  fail_call("nvmlDeviceGetEccMode", nvml::unknown);
  EXPECT_TRUE(report().ecc.is_unknown());
  fail_call("nvmlDeviceGetMigMode", nvml::gpu_is_lost);
  EXPECT_TRUE(report().mig.is_unknown());
  for (const char* function : {"nvmlDeviceGetSupportedVgpus", "nvmlVgpuTypeGetName"}) {
    fail_call(function, nvml::unknown);
    EXPECT_TRUE(report().vgpu_types.is_unknown()) << function;
  }
  partition();
  ASSERT_TRUE(gpus().create_gpu_instance(a100, 9, {0, 4}));
  for (const char* function :
       {"nvmlDeviceGetGpuInstances", "nvmlGpuInstanceGetInfo", "nvmlDeviceGetComputeRunningProcesses_v3",
        "nvmlDeviceGetActiveVgpus", "nvmlGpuInstanceGetComputeInstanceProfileInfo",
        "nvmlGpuInstanceGetComputeInstances"}) {
    fail_call(function, nvml::unknown);
    EXPECT_TRUE(report().mig->instances.is_unknown()) << function;
    EXPECT_TRUE(state()["faults"].empty()) << function << " was not called";
  }
}

TEST_F(NvmlGpusOnFake, EveryWriteIsReadBack) {
  partition();
  // What the driver says it did, and did not do.
  fail_call("nvmlGpuInstanceDestroy", nvml::success);
  ASSERT_TRUE(gpus().create_gpu_instance(a100, 9, {0, 4}));
  EXPECT_EQ(refusal(gpus().destroy_gpu_instance(a100, 1)), ErrorKind::mismatch);
  fail_call("nvmlDeviceSetMigMode", nvml::success);
  EXPECT_EQ(refusal(gpus().set_mig_mode(a100, false)), ErrorKind::mismatch);
  ASSERT_TRUE(gpus().create_compute_instance(a100, 1, 3));
  fail_call("nvmlComputeInstanceDestroy", nvml::success);
  EXPECT_EQ(refusal(gpus().destroy_compute_instance(a100, 1, 0)), ErrorKind::mismatch);
}

TEST_F(NvmlGpusOnFake, ThreadsDoNotMeet) {
  partition();
  const auto adapter = std::make_unique<NvmlGpus>(places());
  std::vector<std::thread> threads;
  for (unsigned start = 0; start < 7; ++start)
    threads.emplace_back([&, start] {
      EXPECT_TRUE(adapter->create_gpu_instance(a100, 19, {start, 1}));
      EXPECT_TRUE(adapter->gpus());
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(instances().size(), 7U);
  EXPECT_TRUE(state()["sessions"].empty());
}

TEST(NvmlProfileNames, AreThoseOfNvidiaSmi) {
  constexpr std::uint64_t gib = 1024ULL * 1024 * 1024;
  // The memory of profiles as nvidia-smi mig -lgip prints it; see the captures in the MIG user guide.
  EXPECT_EQ(nvml::profile_name(0, 1, 4864, 40 * gib), "1g.5gb");
  EXPECT_EQ(nvml::profile_name(7, 1, 4864, 40 * gib), "1g.5gb+me");
  EXPECT_EQ(nvml::profile_name(9, 1, 9984, 40 * gib), "1g.10gb");
  EXPECT_EQ(nvml::profile_name(4, 7, 40448, 40 * gib), "7g.40gb");
  EXPECT_EQ(nvml::profile_name(8, 2, 11968, 24 * gib), "2g.12gb+me");
  EXPECT_EQ(nvml::profile_name(10, 1, 24192, 96 * gib), "1g.24gb+gfx");
  EXPECT_EQ(nvml::profile_name(13, 1, 24192, 96 * gib), "1g.24gb-me");
  EXPECT_EQ(nvml::profile_name(15, 1, 24192, 96 * gib), "1g.24gb+me.all");
}

}  // namespace
}  // namespace gpuhost
