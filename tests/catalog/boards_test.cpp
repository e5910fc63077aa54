#include "catalog/boards.hpp"

#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalog/vgpu_placements.hpp"

namespace gpuhost::catalog {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string name_of(std::uint16_t device_id, std::uint16_t subsystem_device_id = 0) {
  const auto* board = board_of(device_id, subsystem_device_id);
  return board ? std::string(board->name) : "none";
}

std::vector<std::uint16_t> ids_named(std::string_view model) {
  std::vector<std::uint16_t> ids;
  for (const auto* board : boards_named(model)) ids.push_back(board->device_id);
  return ids;
}

TEST(Boards, AreKnownByTheirPciIds) {
  EXPECT_EQ(name_of(0x20f1), "A100");
  EXPECT_EQ(name_of(0x20f1, 0x145f), "A100");
  EXPECT_EQ(name_of(0x20b0), "A100X");
  EXPECT_EQ(name_of(0x13f2), "M60");
  EXPECT_EQ(name_of(0x2331), "H100");
  EXPECT_EQ(name_of(0x2330), "H100XM");
  EXPECT_EQ(name_of(0x2235), "A40");
  EXPECT_EQ(name_of(0xffff), "none");
}

TEST(Boards, ThatShareADeviceIdAreToldApartBySubsystem) {
  EXPECT_EQ(name_of(0x25b6, 0x14a9), "A16");
  EXPECT_EQ(name_of(0x25b6, 0x157e), "A2");
  EXPECT_EQ(name_of(0x25b6, 0x159d), "A2");
  EXPECT_EQ(name_of(0x25b6), "none");
  EXPECT_EQ(name_of(0x1e30, 0x12ba), "RTX6000");
  EXPECT_EQ(name_of(0x1e30, 0x129e), "RTX8000");
}

TEST(Boards, AreFoundByTheWordsOfTheirProduct) {
  EXPECT_EQ(ids_named("A100 PCIe 40GB"), (std::vector<std::uint16_t>{0x20f1}));
  EXPECT_EQ(ids_named("NVIDIA A100-PCIE-40GB"), (std::vector<std::uint16_t>{0x20f1}));
  EXPECT_EQ(ids_named("T4 tesla"), (std::vector<std::uint16_t>{0x1eb8}));
  EXPECT_EQ(ids_named("H100 SXM5 80GB"), (std::vector<std::uint16_t>{0x2330, 0x2336}));
  EXPECT_TRUE(ids_named("NVIDIA").empty());
  EXPECT_TRUE(ids_named("A100 PCIe 41GB").empty());
}

/// Sources: gpumodeswitch user guide; NVIDIA Display Mode Selector Tool, supported products.
TEST(Boards, HaveASwitchOfDisplayModesOrNone) {
  std::map<std::string_view, std::string_view> tools;
  for (const auto& board : boards())
    if (board.display_tool != "no") tools[board.name] = board.display_tool;
  const std::map<std::string_view, std::string_view> expected{{"M60", "gpumodeswitch"},
                                                              {"M6", "gpumodeswitch"},
                                                              {"A40", "displaymodeselector"},
                                                              {"RTXA5000", "displaymodeselector"},
                                                              {"RTXA5500", "displaymodeselector"},
                                                              {"RTXA6000", "displaymodeselector"},
                                                              {"L20", "displaymodeselector"},
                                                              {"L40", "displaymodeselector"},
                                                              {"L40S", "displaymodeselector"},
                                                              {"RTX5000-Ada", "displaymodeselector"},
                                                              {"RTX6000-Ada", "displaymodeselector"},
                                                              {"DC", "displaymodeselector"},
                                                              {"DC-4500", "displaymodeselector"},
                                                              {"RTX5880-Ada", ""},
                                                              {"6000D", ""}};
  EXPECT_EQ(tools, expected);
}

TEST(Boards, GiveVgpusByTheVendorFrameworkFromLinux68On) {
  for (const auto* release : {"6.8.0-45-generic", "6.10.1", "7.0"})
    EXPECT_TRUE(has_vendor_functions(release));
  for (const auto* release : {"6.7.9", "5.15.0-91-generic", "", "x"})
    EXPECT_FALSE(has_vendor_functions(release));
}

TEST(Boards, SayWhatTheHardwareIs) {
  const auto* m60 = board_of(0x13f2, 0x115e);
  ASSERT_NE(m60, nullptr);
  EXPECT_EQ(m60->product, "Tesla M60");
  EXPECT_EQ(m60->gpus_per_board, 2U);
  EXPECT_EQ(m60->framebuffer_gb, 8U);
  EXPECT_FALSE(m60->sriov);
  EXPECT_FALSE(m60->mixed_sizes);

  const auto* a100 = board_of(0x20f1, 0x145f);
  ASSERT_NE(a100, nullptr);
  EXPECT_EQ(a100->gpus_per_board, 1U);
  EXPECT_EQ(a100->framebuffer_gb, 40U);
  EXPECT_TRUE(a100->sriov);
  EXPECT_TRUE(a100->mixed_sizes);
}

TEST(Boards, AModelIsANameOrAProductInEitherCase) {
  EXPECT_THAT(ids_named("M60"), ElementsAre(0x13f2));
  EXPECT_THAT(ids_named("tesla m60"), ElementsAre(0x13f2));
  EXPECT_THAT(ids_named("nvidia a40"), ElementsAre(0x2235));
  EXPECT_THAT(ids_named("H100XM"), ElementsAre(0x2330, 0x2336));
  // The type prefix A100X is the SXM4 board; the card sold as A100X has types of the A100D.
  EXPECT_THAT(ids_named("A100X"), ElementsAre(0x20b0));
  EXPECT_THAT(ids_named("NVIDIA A100X"), ElementsAre(0x20b8));
  EXPECT_THAT(ids_named("A4"), IsEmpty());
  EXPECT_THAT(ids_named(""), IsEmpty());
}

TEST(VgpuTypes, AreFoundByTheirLastWord) {
  EXPECT_TRUE(same_type("GRID A100-4C", "A100-4C"));
  EXPECT_TRUE(same_type("NVIDIA RTX Pro 6000 Blackwell DC-1-2B", " DC-1-2B\n"));
  EXPECT_FALSE(same_type("GRID A100-4C", "GRID A100X-4C"));
  EXPECT_FALSE(same_type("M60-2B", "M60-2B4"));

  const auto& a100 = *board_of(0x20f1, 0);
  const auto* type = find_type(a100, "A100-10C");
  ASSERT_NE(type, nullptr);
  EXPECT_EQ(type->name, "GRID A100-10C");
  EXPECT_EQ(type->series, 'C');
  EXPECT_EQ(type->framebuffer_mb, 10240U);
  EXPECT_EQ(type->max, 4U);
  EXPECT_EQ(type->max_mixed, 4U);
  EXPECT_EQ(type->gpu_instance, "");
  EXPECT_EQ(find_type(a100, "A100-3-20C")->gpu_instance, "3g.20gb");
  EXPECT_EQ(find_type(a100, "A100X-10C"), nullptr);

  const auto* m60 = find_type(*board_of(0x13f2, 0), "GRID M60-1Q");
  ASSERT_NE(m60, nullptr);
  EXPECT_EQ(m60->id, 15U);
  EXPECT_EQ(m60->heads, 4U);
  EXPECT_EQ(m60->resolution, "5120x2880");
  EXPECT_EQ(m60->max, 8U);
}

TEST(VgpuTypes, OfABoardBelongToIt) {
  for (const auto& board : boards()) {
    EXPECT_FALSE(types_of(board).empty()) << board.name;
    for (const auto& type : types_of(board)) EXPECT_EQ(type.board, board.name);
  }
}

TEST(VgpuPlacements, AreThoseOfGpusOfOneSize) {
  constexpr std::uint16_t a100 = 0x20f1;
  constexpr std::uint16_t a30 = 0x20b7;
  constexpr std::uint16_t l4 = 0x27b8;
  constexpr std::uint16_t a40 = 0x2235;
  EXPECT_THAT(placements_of(*board_of(a100, 0), 8), ElementsAre(0, 12, 20, 32));
  EXPECT_THAT(placements_of(*board_of(a100, 0), 40), ElementsAre(0)) << "all of it";
  EXPECT_THAT(placements_of(*board_of(a100, 0), 7), IsEmpty());
  EXPECT_EQ(placements_of(*board_of(a30, 0), 1).size(), 16U);
  EXPECT_THAT(placements_of(*board_of(l4, 0), 1), IsEmpty()) << "not seen of Ada";
  EXPECT_THAT(placements_of(*board_of(a40, 0), 24), IsEmpty()) << "not seen of 48 GB";
}

TEST(VgpuPlacements, AGpuIsNamedByAboutWhatItHas) {
  EXPECT_EQ(size_in_gb(*find_type("H100L-94C")->framebuffer_mb), 94U);
  EXPECT_EQ(size_in_gb(*find_type("H100L-23C")->framebuffer_mb), 23U);
  EXPECT_EQ(size_in_gb(*find_type("A100-20C")->framebuffer_mb), 20U);
}

}  // namespace
}  // namespace gpuhost::catalog
