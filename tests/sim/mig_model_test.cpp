#include "host/sim/gpu/mig_model.hpp"

#include <gtest/gtest.h>

#include "support/mig_profiles.hpp"

namespace gpuhost {
namespace {

/// A GPU whose mode is on, and where process 7 runs.
struct Model {
  explicit Model(std::vector<GpuInstanceProfile> profiles = testing::a100_profiles(), bool stores_mode = true)
      : hardware{std::move(profiles), stores_mode} {
    state.mode = {true, true};
  }
  MigModel operator*() {
    return {hardware, state, [](int pid) { return pid == 7; }};
  }

  MigHardware hardware;
  MigState state;
};

template <class T>
std::optional<MigRefusal> refusal(const MigAnswer<T>& answer) {
  return answer ? std::nullopt : std::optional(answer.error());
}

TEST(MigModel, SmallFirstLeavesNoRoomForLarge) {
  // nvidia-smi mig -cgi 19,19,14,9 fails, 9,14,19,19 does not: issue text of NVIDIA/mig-parted, and its
  // permutations.
  Model small_first;
  EXPECT_TRUE((*small_first).create(19, std::nullopt));
  EXPECT_TRUE((*small_first).create(19, std::nullopt));
  EXPECT_TRUE((*small_first).create(14, std::nullopt));
  EXPECT_TRUE((*small_first).create(9, std::nullopt)) << "the first free place of each is taken here";
  Model spread;
  EXPECT_TRUE((*spread).create(19, MigPlacement{0, 1}));
  EXPECT_TRUE((*spread).create(19, MigPlacement{4, 1}));
  EXPECT_EQ(refusal((*spread).create(9, std::nullopt)), MigRefusal::insufficient_resources);
  EXPECT_EQ(*(*spread).room(9), 0U);
  EXPECT_EQ(*(*spread).room(14), 1U) << "at 2:2 only";
}

TEST(MigModel, IdsAreThoseOfThePlaces) {
  Model gpu;
  EXPECT_EQ((*(*gpu).create(14, MigPlacement{0, 2}))->id, 3U);
  EXPECT_EQ((*(*gpu).create(19, MigPlacement{2, 1}))->id, 9U);
  EXPECT_EQ((*(*gpu).create(9, MigPlacement{4, 4}))->id, 2U);
  Model whole;
  EXPECT_EQ((*(*whole).create(0, std::nullopt))->id, 0U);
}

TEST(MigModel, AProfileHasItsMost) {
  Model gpu;
  EXPECT_TRUE((*gpu).create(20, MigPlacement{0, 1}));
  EXPECT_EQ(refusal((*gpu).create(20, MigPlacement{3, 1})), MigRefusal::insufficient_resources);
  EXPECT_EQ(*(*gpu).room(19), 6U);
}

TEST(MigModel, ComputeSlicesAreCountedToo) {
  // Made up: six memory slices would be free, but only seven compute slices there are.
  Model gpu({testing::mig_profile(1, "4g", 4, 2, 4, {0, 4}), testing::mig_profile(2, "7g", 7, 1, 8, {0})});
  EXPECT_TRUE((*gpu).create(1, MigPlacement{0, 4}));
  EXPECT_EQ(refusal((*gpu).create(1, MigPlacement{4, 4})), MigRefusal::insufficient_resources);
}

TEST(MigModel, WhatIsUsedIsNotDestroyed) {
  Model gpu;
  auto model = *gpu;
  ASSERT_TRUE(model.create(9, MigPlacement{0, 4}));
  ASSERT_TRUE(model.create_compute(1, 1, std::nullopt));
  EXPECT_EQ(refusal(model.destroy(1)), MigRefusal::in_use) << "its compute instance";
  gpu.state.instances[0].processes = {7, 8};
  EXPECT_EQ(refusal(model.destroy_compute(1, 0)), MigRefusal::in_use);
  gpu.state.instances[0].processes = {8};
  EXPECT_TRUE(model.destroy_compute(1, 0)) << "process 8 has ended";
  gpu.state.instances[0].vgpus = 1;
  EXPECT_EQ(refusal(model.destroy(1)), MigRefusal::in_use);
  gpu.state.instances[0].vgpus = 0;
  EXPECT_TRUE(model.destroy(1));
  EXPECT_EQ(refusal(model.destroy(1)), MigRefusal::not_found);
}

TEST(MigModel, ComputeInstancesFitAsNvidiaSmiListsThem) {
  const auto count = [](unsigned parent, unsigned slices) {
    return compute_placements(parent, slices).size();
  };
  // By GPU instance: compute slices, and how many of them. Source: nvidia-smi mig -lcip, MIG user guide.
  EXPECT_EQ(count(7, 1), 7U);
  EXPECT_EQ(count(7, 2), 3U);
  EXPECT_EQ(count(7, 3), 2U);
  EXPECT_EQ(count(7, 4), 1U);
  EXPECT_EQ(count(7, 5), 0U);
  EXPECT_EQ(count(7, 7), 1U);
  EXPECT_EQ(count(4, 2), 2U);
  EXPECT_EQ(count(4, 3), 0U);
  EXPECT_EQ(count(4, 4), 1U);
  EXPECT_EQ(count(3, 2), 1U);
  EXPECT_EQ(count(3, 3), 1U);
  EXPECT_EQ(count(1, 1), 1U);
  EXPECT_EQ(count(1, 2), 0U);
  EXPECT_EQ(count(1, 0), 0U);
}

TEST(MigModel, AModeThatBecomesActiveTakesTheInstances) {
  Model gpu;
  ASSERT_TRUE((*gpu).create(9, std::nullopt));
  EXPECT_EQ(refusal((*gpu).set_mode(false, true)), MigRefusal::in_use);
  EXPECT_EQ(gpu.state.mode, (GpuSwitch{true, false}));
  EXPECT_EQ(gpu.state.instances.size(), 1U) << "still pending";
  EXPECT_TRUE((*gpu).set_mode(true, true));
  EXPECT_EQ(gpu.state.mode, (GpuSwitch{true, true})) << "taken back";
  EXPECT_EQ(gpu.state.instances.size(), 1U);
  EXPECT_TRUE((*gpu).set_mode(false, false));
  EXPECT_TRUE(gpu.state.instances.empty());
  EXPECT_EQ(refusal((*gpu).create(9, std::nullopt)), MigRefusal::unsupported);
}

TEST(MigModel, ARestartActivatesOrForgetsTheMode) {
  for (const bool stores : {true, false}) {
    Model gpu(testing::a100_profiles(), stores);
    gpu.state.mode = {false, true};
    (*gpu).restart();
    EXPECT_EQ(gpu.state.mode, (GpuSwitch{stores, stores}));
  }
}

}  // namespace
}  // namespace gpuhost
