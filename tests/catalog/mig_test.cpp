#include "catalog/mig.hpp"

#include <algorithm>
#include <charconv>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalog/boards.hpp"

namespace gpuhost::catalog {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const MigProfile& profile(std::uint16_t device_id, std::string_view name) {
  const auto profiles = mig_profiles_of(*mig_gpu_of(device_id));
  return *std::ranges::find(profiles, name, &MigProfile::name);
}

TEST(MigGpus, AreKnownByTheirPciIds) {
  ASSERT_NE(mig_gpu_of(0x20f1), nullptr);
  EXPECT_EQ(mig_gpu_of(0x20f1)->family, "A100-40GB");
  EXPECT_EQ(mig_gpu_of(0x20f1)->compute_slices, 7U);
  EXPECT_EQ(mig_gpu_of(0x20f1)->memory_slices, 8U);
  EXPECT_EQ(mig_gpu_of(0x2bb5)->memory_slices, 12U);
  EXPECT_EQ(mig_gpu_of(0x13f2), nullptr);
}

TEST(MigGpus, OnlyAmpereKeepsTheModeOverABoot) {
  EXPECT_TRUE(mig_gpu_of(0x20b7)->keeps_mode);
  EXPECT_TRUE(mig_gpu_of(0x20b0)->keeps_mode);
  EXPECT_FALSE(mig_gpu_of(0x2331)->keeps_mode);
  EXPECT_FALSE(mig_gpu_of(0x2901)->keeps_mode);
}

TEST(MigGpus, EveryTypeOfABoardRunsOnAProfileOfIt) {
  unsigned checked = 0;
  for (const auto& board : boards()) {
    const auto* gpu = mig_gpu_of(board.device_id);
    for (const auto& type : types_of(board)) {
      if (type.gpu_instance.empty()) continue;
      // Of these two not all profiles were found.
      if (board.name == "6000D" || board.name == "DC-4500") continue;
      ASSERT_NE(gpu, nullptr) << board.product;
      EXPECT_TRUE(std::ranges::any_of(
          mig_profiles_of(*gpu),
          [&](const MigProfile& known) { return same_mig_profile(known.name, type.gpu_instance); }))
          << type.name << " on " << type.gpu_instance;
      ++checked;
    }
  }
  EXPECT_GT(checked, 100U);
}

TEST(MigProfiles, SayWhereInstancesMayLie) {
  const auto& double_memory = profile(0x20b0, "1g.10gb");
  EXPECT_EQ(double_memory.id, 15U);
  EXPECT_EQ(double_memory.slices, 1U);
  EXPECT_EQ(double_memory.max, 4U);
  EXPECT_THAT(double_memory.starts, ElementsAre(0U, 2U, 4U, 6U));
  EXPECT_EQ(double_memory.size, 2U);
  EXPECT_EQ(double_memory.driver, "R525");
  EXPECT_EQ(double_memory.placement_evidence, Evidence::captured);
  EXPECT_THAT(profile(0x2bb5, "1g.24gb+me.all").starts, ElementsAre(0U, 3U, 6U, 9U));
  EXPECT_THAT(profile(0x2c3a, "1g.16gb").starts, IsEmpty());
  EXPECT_EQ(profile(0x2c3a, "1g.16gb").size, std::nullopt);
}

TEST(MigProfiles, LieWithinTheirGpu) {
  unsigned placed = 0;
  for (const auto& gpu : mig_gpus()) {
    std::set<unsigned> ids;
    EXPECT_FALSE(mig_profiles_of(gpu).empty()) << gpu.family;
    for (const auto& known : mig_profiles_of(gpu)) {
      EXPECT_TRUE(!known.id || ids.insert(*known.id).second) << gpu.family << known.name;
      EXPECT_LE(known.slices * known.max, gpu.compute_slices) << gpu.family << known.name;
      EXPECT_EQ(known.starts.empty(), !known.size) << gpu.family << known.name;
      EXPECT_LE(known.starts.empty() ? 0U : known.max, known.starts.size()) << gpu.family << known.name;
      for (const auto start : known.starts) {
        EXPECT_LE(start + *known.size, gpu.memory_slices.value_or(0)) << gpu.family << known.name;
        ++placed;
      }
    }
  }
  EXPECT_GT(placed, 400U);
}

TEST(MigProfiles, HaveTheirSlicesInTheirNames) {
  for (const auto& gpu : mig_gpus())
    for (const auto& known : mig_profiles_of(gpu)) {
      unsigned slices = 0;
      std::from_chars(known.name.data(), known.name.data() + known.name.size(), slices);
      EXPECT_EQ(slices, known.slices) << known.name;
    }
}

TEST(MigProfiles, AreOneInAnySpelling) {
  EXPECT_EQ(mig_profile_name("1g.5gb+me"), "1g.5gb+me");
  EXPECT_EQ(mig_profile_name("MIG 1g.5gb"), "1g.5gb");
  EXPECT_EQ(mig_profile_name("1G.24GB.me.all"), "1g.24gb+me.all");
  EXPECT_EQ(mig_profile_name("1g.24gb-me"), "1g.24gb-me");
  EXPECT_TRUE(same_mig_profile("1g.5gb+me", "1g.5gb.me"));
  EXPECT_FALSE(same_mig_profile("1g.24gb-me", "1g.24gb+me"));
  EXPECT_FALSE(same_mig_profile("1g.5gb", "1g.10gb"));
}

TEST(MigProfiles, AreOneUnderTheNameOfEarlyBoards) {
  EXPECT_TRUE(same_mig_profile("1g.24gb", "1g.23gb"));
  EXPECT_TRUE(same_mig_profile("7g.186gb", "7g.189gb"));
  EXPECT_TRUE(same_mig_profile("1g.23gb.me", "1g.24gb+me"));
  EXPECT_FALSE(same_mig_profile("1g.23gb", "1g.24gb+me"));
}

}  // namespace
}  // namespace gpuhost::catalog
