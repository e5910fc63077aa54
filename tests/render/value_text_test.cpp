#include "render/value_text.hpp"

#include <gtest/gtest.h>

namespace gpuhost {
namespace {

std::vector<std::string> shown(const Json& before, const Json& after) {
  std::vector<std::string> lines;
  for (const auto& field : changed_fields(before, after)) lines.push_back(field.label + ": " + field.text);
  return lines;
}

using Lines = std::vector<std::string>;

TEST(ValueText, ShowsEachSortOfValueInOneLine) {
  EXPECT_EQ(value_text(nullptr), "(absent)");
  EXPECT_EQ(value_text("ttyS0,115200"), "ttyS0,115200");
  EXPECT_EQ(value_text(""), "\"\"");
  EXPECT_EQ(value_text("two words"), "\"two words\"");
  EXPECT_EQ(value_text(true), "true");
  EXPECT_EQ(value_text(7), "7");
  EXPECT_EQ(value_text(Json::parse(R"(["a", null])")), "[a, (absent)]");
  EXPECT_EQ(value_text(Json::parse(R"({"a": 1, "b": "c d"})")), "{a: 1, b: \"c d\"}");
  EXPECT_EQ(value_text(Json::parse(R"({"unknown": "no permission"})")), "unknown (no permission)");
}

TEST(ValueText, EscapesControlCharacters) {
  EXPECT_EQ(value_text("a\x1b[0m"), "\"a\\x1b[0m\"");
}

TEST(ChangedFields, LeavesOutWhatStaysAsItIs) {
  EXPECT_EQ(shown({{"a", 1}, {"b", 2}}, {{"a", 1}, {"b", 3}}), Lines{"b: 2 -> 3"});
  EXPECT_EQ(shown("same", "same"), Lines{});
}

TEST(ChangedFields, ShowsTheRunningValueBesideTheNextBoot) {
  EXPECT_EQ(shown({{"running", "off"}, {"next_boot", nullptr}}, {{"running", "off"}, {"next_boot", "on"}}),
            (Lines{"running: off", "next boot: (absent) -> on"}));
}

TEST(ChangedFields, TakesAPlainTargetOfABootScopedValueForTheNextBoot) {
  EXPECT_EQ(shown({{"running", "off"}, {"next_boot", "off"}}, "on"),
            (Lines{"running: off", "next boot: off -> on"}));
}

TEST(ChangedFields, SaysNothingOfTheRunningValueWhereThereIsNone) {
  EXPECT_EQ(shown({{"next_boot", {{"iommu", nullptr}}}}, {{"next_boot", {{"iommu", "pt"}}}}),
            Lines{"next boot.iommu: (absent) -> pt"});
}

TEST(ChangedFields, ShowsBootScopedPartsUnderTheirName) {
  EXPECT_EQ(shown({{"state", {{"running", "loaded"}, {"next_boot", "loaded"}}}, {"other", 1}},
                  {{"state", {{"running", "loaded"}, {"next_boot", "blocked"}}}, {"other", 1}}),
            (Lines{"state, running: loaded", "state, next boot: loaded -> blocked"}));
}

TEST(ChangedFields, ShowsCreationPartByPartAndDeletionAsOne) {
  EXPECT_EQ(shown(nullptr, {{"a", 1}, {"b", "x"}}), (Lines{"a: (absent) -> 1", "b: (absent) -> x"}));
  EXPECT_EQ(shown({{"a", 1}}, nullptr), Lines{": {a: 1} -> (absent)"});
}

TEST(ObservedText, IsOneValueWhereRunningAndNextBootAgree) {
  EXPECT_EQ(observed_text({{"running", "on"}, {"next_boot", "on"}}), "on");
  EXPECT_EQ(observed_text({{"running", nullptr}, {"next_boot", "on"}}), "running (absent), next boot on");
  EXPECT_EQ(observed_text("on"), "on");
}

}  // namespace
}  // namespace gpuhost
