#include "catalog/tables.hpp"

#include <map>
#include <set>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.hpp"

namespace gpuhost::catalog {
namespace {

using ::testing::HasSubstr;

std::vector<std::string_view> rows_of(std::string_view table) {
  auto rows = lines(table);
  std::erase_if(rows, [](std::string_view line) { return line.starts_with('#'); });
  rows.erase(rows.begin());
  return rows;
}

/// The short names of sources that the comments at the top explain.
std::set<std::string_view> explained_sources(std::string_view table) {
  std::set<std::string_view> explained;
  for (const auto line : lines(table))
    if (line.starts_with("#   ")) explained.insert(words(line)[1]);
  return explained;
}

TEST(Tables, EveryRowIsRead) {
  const auto boards = parse_boards(boards_table);
  ASSERT_TRUE(boards) << boards.error().message;
  EXPECT_EQ(boards->size(), rows_of(boards_table).size());
  EXPECT_GE(boards->size(), 65U);

  const auto types = parse_vgpu_types(vgpu_types_table);
  ASSERT_TRUE(types) << types.error().message;
  EXPECT_EQ(types->size(), rows_of(vgpu_types_table).size());
  EXPECT_EQ(types->size(), 1155U);

  const auto gpus = parse_mig_gpus(mig_gpus_table);
  ASSERT_TRUE(gpus) << gpus.error().message;
  EXPECT_EQ(gpus->size(), rows_of(mig_gpus_table).size());

  const auto profiles = parse_mig_profiles(mig_profiles_table);
  ASSERT_TRUE(profiles) << profiles.error().message;
  EXPECT_EQ(profiles->size(), rows_of(mig_profiles_table).size());

  const auto releases = parse_releases(vgpu_releases_table);
  ASSERT_TRUE(releases) << releases.error().message;
  EXPECT_EQ(releases->size(), rows_of(vgpu_releases_table).size());
  EXPECT_EQ(releases->size(), 102U);

  const auto branches = parse_branches(vgpu_branches_table);
  ASSERT_TRUE(branches) << branches.error().message;
  EXPECT_EQ(branches->size(), rows_of(vgpu_branches_table).size());

  const auto denied = parse_denied_boards(denied_boards_table);
  ASSERT_TRUE(denied) << denied.error().message;
  EXPECT_EQ(denied->size(), rows_of(denied_boards_table).size());

  const auto displays = parse_display_modes(display_modes_table);
  ASSERT_TRUE(displays) << displays.error().message;
  EXPECT_EQ(displays->size(), rows_of(display_modes_table).size());
}

TEST(Tables, EveryRowNamesSourcesThatAreExplained) {
  for (const auto table :
       {boards_table, vgpu_types_table, mig_gpus_table, mig_profiles_table, vgpu_releases_table,
        vgpu_branches_table, denied_boards_table, display_modes_table}) {
    const auto explained = explained_sources(table);
    EXPECT_FALSE(explained.empty());
    for (const auto row : rows_of(table))
      for (const auto source : split(split(row, '\t').back(), ','))
        EXPECT_TRUE(explained.contains(source)) << "'" << source << "' in: " << row;
  }
}

TEST(Tables, NothingStandsTwice) {
  std::set<std::pair<unsigned, unsigned>> ids;
  for (const auto& board : boards())
    EXPECT_TRUE(ids.emplace(board.device_id, board.subsystem_device_id.value_or(0)).second) << board.product;

  const auto types = parse_vgpu_types(vgpu_types_table).value();
  std::set<std::string_view> names;
  std::map<std::pair<std::string_view, unsigned>, std::string_view> numbers;
  for (const auto& type : types) {
    EXPECT_TRUE(names.insert(type.name).second) << type.name;
    if (!type.id) continue;
    EXPECT_TRUE(numbers.emplace(std::pair(type.board, *type.id), type.name).second) << type.name;
  }
}

TEST(Tables, TypesAndBoardsBelongTogether) {
  std::set<std::string_view> with_types, named;
  const auto types = parse_vgpu_types(vgpu_types_table).value();
  for (const auto& type : types) with_types.insert(type.board);
  std::size_t found = 0;
  for (const auto& board : boards())
    if (named.insert(board.name).second) found += types_of(board).size();
  EXPECT_EQ(with_types, named);
  // types_of finds a run of rows: all are found only if the rows of each board stand together.
  EXPECT_EQ(found, types.size());
}

TEST(Tables, RowsOfOneBoardAgreeOnItsHardware) {
  std::map<std::string_view, const Board*> first;
  for (const auto& board : boards()) {
    const auto& known = *first.emplace(board.name, &board).first->second;
    EXPECT_EQ(known.framebuffer_gb, board.framebuffer_gb) << board.product;
    EXPECT_EQ(known.sriov, board.sriov) << board.product;
    EXPECT_EQ(known.architecture, board.architecture) << board.product;
    EXPECT_EQ(known.display_tool, board.display_tool) << board.product;
    EXPECT_EQ(board.sriov, board.architecture >= Architecture::ampere) << board.product;
  }
}

TEST(Tables, TimeSlicedTypesFitTheFramebuffer) {
  unsigned checked = 0;
  for (const auto& board : boards())
    for (const auto& type : types_of(board)) {
      if (!type.gpu_instance.empty() || !type.max || !type.framebuffer_mb) continue;
      EXPECT_LE(*type.max * *type.framebuffer_mb, board.framebuffer_gb * 1024U) << type.name;
      EXPECT_LE(type.max_mixed.value_or(0), *type.max) << type.name;
      ++checked;
    }
  EXPECT_GT(checked, 700U);
}

TEST(Tables, OnlyBoardsWithMixedSizesHaveMixedCounts) {
  for (const auto& board : boards())
    for (const auto& type : types_of(board))
      EXPECT_TRUE(board.mixed_sizes || type.max_mixed.value_or(0) == 0) << type.name;
}

TEST(Tables, PlacementsOfOneSizeLieApartWithinTheirGpu) {
  const auto all = parse_vgpu_placements(vgpu_placements_table);
  ASSERT_TRUE(all) << all.error().message;
  for (const auto& one : *all) {
    unsigned end = 0;
    for (const auto start : one.starts) {
      EXPECT_GE(start, end) << one.framebuffer_gb << " " << one.size;
      end = start + one.size;
    }
    EXPECT_LE(end, one.framebuffer_gb) << one.size;
  }
}

/// Two tables of NVIDIA's guides against each other.
TEST(Tables, ThereAreAsManyPlacementsAsVgpusOfMixedSizesFit) {
  unsigned checked = 0;
  for (const auto& board : boards())
    for (const auto& type : types_of(board)) {
      if (!type.max_mixed || !type.framebuffer_mb) continue;
      const auto placements = placements_of(board, size_in_gb(*type.framebuffer_mb));
      if (placements.empty()) continue;
      EXPECT_EQ(placements.size(), *type.max_mixed) << type.name;
      ++checked;
    }
  EXPECT_GT(checked, 90U);
}

constexpr std::string_view head =
    "# comment\nname\tproduct\tdevice\tsubsystem\tgpus\tframebuffer\tsriov\tmixed_sizes\t"
    "architecture\tecc\tdisplay\tsources\n";

std::string problem_of(std::string_view row) {
  const auto boards = parse_boards(std::string(head) + std::string(row) + "\n");
  return boards ? "" : boards.error().message;
}

TEST(Tables, AWrongRowIsNamed) {
  EXPECT_EQ(problem_of("X\tBoard X\t2abc\t-\t1\t16\tyes\tno\tada\tyes\tno\tsomewhere"), "");
  EXPECT_EQ(problem_of("X\tBoard X\t2abcd\t-\t1\t16\tyes\tno\tada\tyes\tno\tsomewhere"),
            "line 3 is wrong at the column device");
  EXPECT_EQ(problem_of("X\tBoard X\t2abc\t0x1\t1\t16\tyes\tno\tada\tyes\tno\tsomewhere"),
            "line 3 is wrong at the column subsystem");
  EXPECT_EQ(problem_of("X\tBoard X\t2abc\t-\t-\t16\tyes\tno\tada\tyes\tno\tsomewhere"),
            "line 3 is wrong at the column gpus");
  EXPECT_EQ(problem_of("X\tBoard X\t2abc\t-\t1\t16\ttrue\tno\tada\tyes\tno\tsomewhere"),
            "line 3 is wrong at the column sriov");
  EXPECT_EQ(problem_of("X\tBoard X\t2abc\t-\t1\t16\tyes\tno\tada\tyes\tno"),
            "line 3 is wrong at the column sources");
  EXPECT_EQ(problem_of("X\tBoard X\t2abc\t-\t1\t16\tyes\tno\tada\tyes\tno\tsomewhere\tmore"),
            "line 3 is wrong at the column sources");
  EXPECT_EQ(problem_of("X\tBoard X\t2abc\t-\t1\t16\tyes\tno\tbeech\tyes\tno\tsomewhere"),
            "line 3 is wrong at the column architecture");
  EXPECT_EQ(problem_of(""), "line 3 is wrong at the column name");
}

TEST(Tables, AnotherHeadIsNoTable) {
  const auto boards =
      parse_boards("name\tproduct\tsubsystem\tdevice\tgpus\tframebuffer\tsriov\tmixed_sizes\tsources\n");
  ASSERT_FALSE(boards);
  EXPECT_EQ(boards.error().kind, ErrorKind::invalid);
  EXPECT_THAT(boards.error().message, HasSubstr("line 1 does not name the column device"));
}

TEST(Tables, TheSeriesIsOneOfFour) {
  const auto types = parse_vgpu_types(
      "board\tname\tseries\tframebuffer\tmax\tmax_mixed\tid\theads\tresolution\tgpu_instance\tsources\n"
      "X\tGRID X-1Z\tZ\t1024\t8\t-\t-\t-\t-\t-\tsomewhere\n");
  ASSERT_FALSE(types);
  EXPECT_EQ(types.error().message, "line 2 is wrong at the column series");
}

std::string problem_of_profile(std::string_view row) {
  constexpr std::string_view columns =
      "family\tname\talso\tid\tslices\tmax\tstarts\tsize\tmemory\tmultiprocessors\tdriver\tid_seen\tstarts_"
      "seen\t"
      "sources\n";
  const auto profiles = parse_mig_profiles(fmt::format("{}{}\n", columns, row));
  return profiles ? "" : profiles.error().message;
}

TEST(Tables, AnExceptionIsAnArchitecture) {
  const auto problem = [](std::string_view except) {
    const auto text = fmt::format("framebuffer\tsize\tstarts\texcept\tsources\n24\t1\t0,2\t{}\tx\n", except);
    const auto placements = parse_vgpu_placements(text);
    return placements ? std::string() : placements.error().message;
  };
  EXPECT_EQ(problem("-"), "");
  EXPECT_EQ(problem("ada"), "");
  EXPECT_EQ(problem("beech"), "line 2 is wrong at the column except");
}

TEST(Tables, ListsAndWordsOfARowAreChecked) {
  EXPECT_EQ(problem_of_profile("X\t1g.5gb\t-\t19\t1\t7\t0,1\t1\t-\t-\t-\tcaptured\t-\tsomewhere"), "");
  EXPECT_EQ(problem_of_profile("X\t1g.5gb\t-\t19\t1\t7\t0,,1\t1\t-\t-\t-\tcaptured\t-\tsomewhere"),
            "line 2 is wrong at the column starts");
  EXPECT_EQ(problem_of_profile("X\t1g.5gb\t-\t19\t1\t7\t0,1\t1\t-\t-\t-\tguessed\t-\tsomewhere"),
            "line 2 is wrong at the column id_seen");
}

}  // namespace
}  // namespace gpuhost::catalog
