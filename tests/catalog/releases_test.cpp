#include "catalog/releases.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gpuhost::catalog {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string_view> names(const std::vector<const Release*>& releases) {
  std::vector<std::string_view> found;
  for (const auto* release : releases) found.push_back(release->name);
  return found;
}

TEST(Releases, HaveThreeVersions) {
  const auto* release = find_release("12.2");
  ASSERT_NE(release, nullptr);
  EXPECT_EQ(release->manager, "460.73.02");
  EXPECT_EQ(release->linux_guest, "460.73.01");
  EXPECT_EQ(release->windows_guest, "462.31");
  EXPECT_EQ(release->date, "2021-04-18");
  EXPECT_EQ(release->major, 12U);
  EXPECT_EQ(find_release("12"), nullptr);
}

TEST(Releases, OfOneManagerAreASet) {
  EXPECT_THAT(names(releases_of_manager("550.90.05")), ElementsAre("17.3", "17.2"));
  EXPECT_THAT(names(releases_of_manager("460.32.04")), ElementsAre("12.1", "12.0"));
  EXPECT_THAT(names(releases_of_manager("580.159.01")), ElementsAre("19.5"));
  EXPECT_THAT(names(releases_of_manager("580.159.03")), IsEmpty());
}

TEST(Releases, VersionsAreTexts) {
  EXPECT_THAT(names(releases_of_manager("450.80")), ElementsAre("11.1"));
  EXPECT_THAT(names(releases_of_manager("450.8")), IsEmpty());
  EXPECT_THAT(names(releases_of_guest("450.80.02")), ElementsAre("11.1"));
}

TEST(Releases, OfAGuestAreFoundByLinuxAndWindowsVersions) {
  EXPECT_THAT(names(releases_of_guest("580.159.03")), ElementsAre("19.5"));
  EXPECT_THAT(names(releases_of_guest("582.53")), ElementsAre("19.5"));
  EXPECT_THAT(names(releases_of_guest("550.90.07")), ElementsAre("17.3", "17.2"));
  EXPECT_THAT(names(releases_of_guest("552.74")), ElementsAre("17.3"));
}

TEST(Releases, StandOnceAndBelongToABranch) {
  std::set<std::string_view> seen;
  for (const auto& release : releases()) {
    EXPECT_TRUE(seen.insert(release.name).second) << release.name;
    EXPECT_TRUE(release.name.starts_with(std::to_string(release.major) + "."));
    bool has_branch = false;
    for (const auto& branch : branches()) has_branch = has_branch || branch.major == release.major;
    EXPECT_TRUE(has_branch) << release.name;
  }
}

TEST(Releases, OfABranchHaveItsDriver) {
  for (const auto& release : releases()) {
    const auto branch = branch_of(release).driver.substr(1);
    EXPECT_TRUE(release.manager.starts_with(branch)) << release.name;
    EXPECT_TRUE(release.linux_guest.starts_with(branch)) << release.name;
  }
}

/// Written down from the release notes and host by host, apart from the table: x is a pair that goes
/// together.
struct HostRow {
  unsigned host;
  std::string_view guests;  ///< branches 8, 9, 10 … 20
};
constexpr auto published = std::to_array<HostRow>({
    //     8901234567890
    {8, "x............"},   // 8.x: the same branch only
    {9, ".x..........."},   //
    {10, "..x.........."},  //
    {11, "..xx........."},  // the previous branch
    {12, "...xx........"},  //
    {13, "...xxx......."},  // LTS: the previous LTS branch 11
    {14, ".....xx......"},  //
    {15, "......xx....."},  //
    {16, ".....x.xx...."},  // LTS: 13, but not 14
    {17, "........xx..."},  //
    {18, ".........xx.."},  //
    {19, "........x.xx."},  // LTS: 16, but not 17
    {20, "...........xx"},  //
});

unsigned major_of(const Release& release) {
  return static_cast<unsigned>(std::stoul(std::string(release.name)));
}

TEST(Compatibility, OfEveryPairIsThePublishedOne) {
  std::size_t pairs = 0, allowed = 0;
  for (const auto& host : releases())
    for (const auto& guest : releases()) {
      const auto* row = std::ranges::find(published, major_of(host), &HostRow::host);
      ASSERT_NE(row, published.end()) << host.name;
      const bool expected = row->guests.at(major_of(guest) - 8) == 'x';
      EXPECT_EQ(accepts(host, guest), expected) << "host " << host.name << ", guest " << guest.name;
      ++pairs;
      allowed += expected ? 1 : 0;
    }
  EXPECT_EQ(pairs, 102U * 102U);
  EXPECT_GT(allowed, 1000U);
}

TEST(Compatibility, AGuestIsNeverOfANewerBranch) {
  for (const auto& host : releases())
    for (const auto& guest : releases())
      EXPECT_FALSE(guest.major > host.major && accepts(host, guest)) << host.name << " " << guest.name;
}

TEST(Products, AcceptDifferentBoards) {
  const auto& a100 = *board_of(0x20f1, 0);
  const auto& sxm = *board_of(0x20b2, 0);
  const auto& m60 = *board_of(0x13f2, 0);
  const auto& a40 = *board_of(0x2235, 0);
  for (const auto* board : {&a100, &sxm}) {
    EXPECT_TRUE(denies(Product::vgpu, *board)) << board->product;
    EXPECT_FALSE(denies(Product::nvaie, *board)) << board->product;
  }
  EXPECT_FALSE(denies(Product::vgpu, m60));
  EXPECT_TRUE(denies(Product::nvaie, m60));
  EXPECT_FALSE(denies(Product::vgpu, a40));
  EXPECT_FALSE(denies(Product::nvaie, a40));
  // Active and passive boards differ.
  EXPECT_TRUE(denies(Product::nvaie, *board_of(0x1e30, 0x12ba)));
  EXPECT_FALSE(denies(Product::nvaie, *board_of(0x1e78, 0x13d9)));
}

TEST(Products, HaveListsOfBoardsFromOneReleaseOn) {
  EXPECT_TRUE(has_known_boards(*find_release("20.2")));
  EXPECT_TRUE(has_known_boards(*find_release("16.10")));
  EXPECT_TRUE(has_known_boards(*find_release("16.1")));
  EXPECT_FALSE(has_known_boards(*find_release("16.0")));
  EXPECT_FALSE(has_known_boards(*find_release("12.2")));
}

TEST(Support, EndsWithAMonth) {
  const auto& production = branch_of(*find_release("18.0"));
  EXPECT_EQ(is_past_support(production, "2026-03-31T23:59:59Z"), false);
  EXPECT_EQ(is_past_support(production, "2026-04-01T00:00:00Z"), true);
  EXPECT_EQ(is_past_support(branch_of(*find_release("20.0")), "2030-01-01T00:00:00Z"), std::nullopt);
}

}  // namespace
}  // namespace gpuhost::catalog
