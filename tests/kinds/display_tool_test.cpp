#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kinds/display_mode/tool.hpp"

namespace gpuhost::testing {
namespace {

using ::testing::HasSubstr;

const PciAddress gpu = *PciAddress::parse("0000:84:00.0");

/// Two GPUs of a Tesla M60 as the tool lists them.
std::string listing(const std::string& first, const std::string& second) {
  return "NVIDIA GPU Mode Switch Utility Version 1.23.0\n\n"
         "Adapter: Tesla M60           (10DE,13F2,10DE,115E) H:--:NRM  S:00,B:83,D:00,F:00\n"
         "\nIdentifying EEPROM...\nGPU Mode: " +
         first +
         "\n\nAdapter: Tesla M60           (10DE,13F2,10DE,115E) H:--:NRM  S:00,B:84,D:00,F:00\n"
         "GPU Mode: " +
         second + "\n";
}

class Tool final : public CommandRunner {
 public:
  using Answer = std::function<CommandResult(const std::vector<std::string>&)>;
  explicit Tool(Answer answer) : answer_(std::move(answer)) {}
  Result<CommandResult> run(const Command& command) override {
    asked.push_back(command.argv);
    return answer_(command.argv);
  }
  std::vector<std::vector<std::string>> asked;

 private:
  Answer answer_;
};

TEST(DisplayTool, AdaptersAreKnownByWhereTheyAre) {
  const auto adapters = parse_adapters(listing("Graphics", "Compute"));
  ASSERT_EQ(adapters.size(), 2U);
  EXPECT_EQ(adapters[1].address, gpu);
  EXPECT_EQ(adapters[1].index, "1");
  EXPECT_EQ(adapters[1].mode, "Compute");
  const auto numbered = parse_adapters("<3> RTX A6000 (10DE,2230) S:01,B:C1,D:1F,F:00\n");
  ASSERT_EQ(numbered.size(), 1U);
  EXPECT_EQ(numbered[0].index, "3");
  EXPECT_EQ(numbered[0].address, *PciAddress::parse("0001:c1:1f.0"));
  EXPECT_TRUE(parse_adapters("No NVIDIA display adapters found\n").empty());
}

TEST(DisplayTool, ItsWordsForAModeAreKnown) {
  EXPECT_TRUE(is_mode("Graphics", "graphics"));
  EXPECT_FALSE(is_mode("Compute", "graphics"));
  EXPECT_TRUE(is_mode("Compute (Physical display disabled)", "physical_display_disabled"));
  EXPECT_TRUE(is_mode("Compute", "physical_display_disabled"));
  EXPECT_TRUE(is_mode("Physical Display Enabled 256MB BAR1", "physical_display_enabled_256MB_bar1"));
  EXPECT_FALSE(is_mode("Physical Display Enabled 256MB BAR1", "physical_display_disabled"));
  EXPECT_FALSE(is_mode("", "graphics"));
}

TEST(DisplayTool, SwitchesOneGpuAndReadsItBack) {
  std::string mode = "Compute";
  Tool tool([&](const std::vector<std::string>& argv) -> CommandResult {
    if (argv[1] == "--gpumode") mode = "Graphics";
    return {0, listing("Compute", mode)};
  });
  EXPECT_TRUE(switch_display_mode("/opt/gpumodeswitch", "graphics", gpu, tool));
  EXPECT_EQ(tool.asked[1],
            (std::vector<std::string>{"/opt/gpumodeswitch", "--gpumode", "graphics", "-i", "1", "--auto"}));
}

TEST(DisplayTool, ThatEndsWellAndDidNothingIsAFailure) {
  Tool tool([&](const std::vector<std::string>& argv) -> CommandResult {
    if (argv[1] == "--gpumode") return {0, "EEPROM is write protected\n"};
    return {0, listing("Compute", "Compute")};
  });
  const auto error = switch_display_mode("/opt/gpumodeswitch", "graphics", gpu, tool).error();
  EXPECT_EQ(error.kind, ErrorKind::mismatch);
  EXPECT_EQ(error.message,
            "/opt/gpumodeswitch has not switched GPU 0000:84:00.0 to graphics: it lists Compute; it said: "
            "EEPROM is "
            "write protected");
}

TEST(DisplayTool, ThatDoesNotKnowTheGpuIsNotRunOnAnother) {
  Tool blind([](const std::vector<std::string>&) -> CommandResult {
    return {0, "ERROR: the NVIDIA kernel mode driver is loaded\n"};
  });
  EXPECT_THAT(switch_display_mode("/opt/gpumodeswitch", "graphics", gpu, blind).error().message,
              HasSubstr("does not list GPU 0000:84:00.0: ERROR: the NVIDIA kernel mode driver is loaded"));
  EXPECT_EQ(blind.asked.size(), 1U);
  Tool failing([](const std::vector<std::string>&) -> CommandResult { return {3, ""}; });
  EXPECT_THAT(switch_display_mode("/opt/gpumodeswitch", "graphics", gpu, failing).error().message,
              HasSubstr("ended with 3: it printed nothing"));
}

}  // namespace
}  // namespace gpuhost::testing
