#include <gmock/gmock.h>

#include "kinds/mig/wanted.hpp"
#include "support/mig_profiles.hpp"

namespace gpuhost::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const catalog::Board& board(std::uint16_t device) {
  return *catalog::board_of(device, 0);
}
constexpr std::uint16_t a100_pcie = 0x20f1;
constexpr std::uint16_t rtx_pro_6000 = 0x2bb5;

WantedMig automatic(std::vector<MigWish::Vgpus> vgpus) {
  MigWish wish{.vgpus = std::move(vgpus)};
  wish.spec.mode = MigSpec::Mode::automatic;
  static const auto profiles = a100_profiles();
  return wanted_mig(wish, profiles, &board(a100_pcie), "GPU left");
}

std::vector<std::string> labels(const WantedMig& wanted) {
  std::vector<std::string> all;
  for (const auto& one : wanted.instances) all.push_back(one.label);
  return all;
}

TEST(MigForVgpus, OneInstanceForEachWhereTheyAreNotShared) {
  const auto wanted = automatic({{"GRID A100-3-20C", 1}, {"A100-1-5C", 3}});
  EXPECT_TRUE(wanted.on);
  EXPECT_THAT(wanted.problems, IsEmpty());
  EXPECT_THAT(labels(wanted), ElementsAre("3g.20gb#0", "1g.5gb#0", "1g.5gb#1", "1g.5gb#2"));
}

TEST(MigForVgpus, TimeSlicedTypesNeedNone) {
  const auto wanted = automatic({{"A100-10C", 4}});
  EXPECT_FALSE(wanted.on);
  EXPECT_THAT(wanted.instances, IsEmpty());
  EXPECT_FALSE(automatic({}).on);
}

TEST(MigForVgpus, AsManyShareAnInstanceAsItCarriesAlsoFromSeveralEntries) {
  const std::vector profiles{mig_profile(47, "1g.24gb+gfx", 1, 4, 3, {0, 3, 6, 9}),
                             mig_profile(35, "2g.48gb+gfx", 2, 2, 6, {0, 6})};
  const auto made_for = [&](std::vector<MigWish::Vgpus> vgpus) {
    MigWish wish{.vgpus = std::move(vgpus)};
    wish.spec.mode = MigSpec::Mode::automatic;
    const auto wanted = wanted_mig(wish, profiles, &board(rtx_pro_6000), "GPU desk");
    EXPECT_THAT(wanted.problems, IsEmpty());
    return wanted.instances.size();
  };
  EXPECT_EQ(made_for({{"DC-1-2Q", 12}}), 1U) << "48 on four instances";
  EXPECT_EQ(made_for({{"DC-1-2Q", 13}}), 2U);
  EXPECT_EQ(made_for({{"DC-1-2Q", 6}, {"DC-1-2Q", 6}}), 1U);
  EXPECT_EQ(made_for({{"DC-1-2Q", 6}, {"DC-2-48Q", 1}}), 2U);
}

TEST(MigForVgpus, WhatIsNotKnownIsSaid) {
  const auto wanted = automatic({{"A100-9-99C", 1}});
  ASSERT_THAT(wanted.problems, SizeIs(1));
  EXPECT_THAT(wanted.problems[0].message, HasSubstr("A100-9-99C"));
  EXPECT_THAT(wanted.problems[0].advice, HasSubstr("list the instances"));
}

}  // namespace
}  // namespace gpuhost::testing
