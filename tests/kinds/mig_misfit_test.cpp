#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kinds/mig/misfit.hpp"
#include "kinds/mig/profiles.hpp"

namespace gpuhost {
namespace {

class MigMisfit : public ::testing::Test {
 protected:
  struct Some {
    const char* profile;
    unsigned count = 1;
    std::optional<unsigned> start = {};
  };

  Misfit of(const std::vector<Some>& some, const std::vector<GpuInstance>& present = {}) {
    std::vector<WantedInstance> wanted;
    for (const auto& one : some)
      wanted.insert(wanted.end(), one.count, {find_profile(profiles, one.profile)->id, one.start});
    EXPECT_FALSE(solve_layout(profiles, present, wanted));
    return explain_misfit(profiles, present, wanted);
  }

  std::vector<GpuInstanceProfile> profiles = known_mig_profiles(0x20f1);
};

TEST_F(MigMisfit, NamesTheMemorySlices) {
  const auto misfit = of({{"1g.5gb"}, {"3g.20gb", 2}});
  EXPECT_EQ(misfit.reason, "3g.20gb + 3g.20gb use all 8 memory slices; 1g.5gb needs one");
  EXPECT_EQ(misfit.advice, "3g.20gb + 3g.20gb would fit");
}

TEST_F(MigMisfit, NamesTheComputeSlices) {
  const auto misfit = of({{"4g.20gb"}, {"2g.10gb"}, {"1g.5gb", 2}});
  EXPECT_EQ(misfit.reason, "4g.20gb + 2g.10gb + 1g.5gb use all 7 compute slices; 1g.5gb needs one");
  EXPECT_EQ(misfit.advice, "4g.20gb + 2g.10gb + 1g.5gb would fit");
}

TEST_F(MigMisfit, NamesTheMostOfAProfile) {
  EXPECT_EQ(of({{"1g.5gb+me", 2}}).reason, "the GPU takes one 1g.5gb+me at most");
  EXPECT_EQ(of({{"3g.20gb", 3}}).reason, "the GPU takes 2 3g.20gb at most");
}

TEST_F(MigMisfit, NamesThePlacesThatAreTaken) {
  const auto misfit = of({{"4g.20gb"}, {"3g.20gb", 1, 0}});
  EXPECT_EQ(misfit.reason, "4g.20gb leave 3g.20gb no place: it shall start at memory slice 0");
  EXPECT_EQ(misfit.advice, "4g.20gb would fit");
}

TEST_F(MigMisfit, NamesAPlaceWhereTheProfileNeverLies) {
  EXPECT_EQ(of({{"3g.20gb", 1, 2}}).reason, "3g.20gb cannot start at memory slice 2; it can at 0, 4");
  EXPECT_EQ(of({{"3g.20gb", 1, 2}}).advice, "nothing would fit");
}

TEST_F(MigMisfit, NamesBusyInstancesThatStay) {
  const auto small = find_profile(profiles, "1g.5gb")->id;
  const auto misfit = of({{"7g.40gb"}}, {{.id = 7, .profile = small, .placement = {2, 1}, .vgpus = 1}});
  EXPECT_EQ(misfit.reason, "busy instances stay (1g.5gb at 2), and 7g.40gb cannot lie beside them");
}

TEST_F(MigMisfit, CountsManyInstances) {
  EXPECT_EQ(of({{"1g.5gb", 7}, {"1g.10gb"}}).reason,
            "1g.10gb + 6 x 1g.5gb use all 8 memory slices; 1g.5gb needs one");
}

}  // namespace
}  // namespace gpuhost
