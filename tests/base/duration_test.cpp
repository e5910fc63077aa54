#include "base/duration.hpp"

#include <gtest/gtest.h>

namespace gpuhost {
namespace {

using namespace std::chrono_literals;

TEST(Duration, IsANumberWithOneUnit) {
  EXPECT_EQ(parse_duration("180s"), 180s);
  EXPECT_EQ(parse_duration("3m"), 3min);
  EXPECT_EQ(parse_duration("1h"), 1h);
  EXPECT_EQ(parse_duration("0s"), 0s);
  for (const char* wrong : {"", "s", "3", "3 m", "-3m", "3d", "1h30m", "0x10s", "1.5h"})
    EXPECT_FALSE(parse_duration(wrong)) << wrong;
}

TEST(Duration, ThatNoClockCanHoldIsTheLongest) {
  EXPECT_EQ(parse_duration("9223372036854775807h"), std::chrono::seconds::max());
}

TEST(Duration, IsToldInItsTwoLargestUnits) {
  EXPECT_EQ(duration_text(0s), "0 s");
  EXPECT_EQ(duration_text(59s), "59 s");
  EXPECT_EQ(duration_text(5min), "5 min");
  EXPECT_EQ(duration_text(4min + 30s), "4 min 30 s");
  EXPECT_EQ(duration_text(2h), "2 h");
  EXPECT_EQ(duration_text(25h + 5min + 7s), "25 h 5 min");
}

}  // namespace
}  // namespace gpuhost
