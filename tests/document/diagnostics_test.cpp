#include "document/diagnostics.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "document/yaml.hpp"
#include "kinds/document_specs.hpp"
#include "support/source_folder.hpp"

namespace gpuhost {
namespace {

namespace fs = std::filesystem;

const fs::path cases = testing::source_folder() / "tests/cases/diagnostics";

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A case is what the .yaml files of its folder give, read together; those too large to keep are made here.
void add_sources(const std::string& id, Diagnostics& diagnostics) {
  if (id == "file-too-large") {
    diagnostics.add_source({"large.yaml", std::string(YamlLimits{}.bytes + 1, '#')});
    return;
  }
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(cases / id))
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  std::ranges::sort(files);
  for (const auto& file : files) diagnostics.add_source({file.filename().string(), read(file)});
}

class DiagnosticsCase : public ::testing::TestWithParam<std::string> {};

TEST_P(DiagnosticsCase, GivesItsMessageAndPrintsAsExpected) {
  const auto& id = GetParam();
  ASSERT_TRUE(fs::is_directory(cases / id)) << "the message " << id << " has no case in " << cases;
  Diagnostics diagnostics;
  add_sources(id, diagnostics);
  EXPECT_FALSE(decode_specs(diagnostics).has_value());
  EXPECT_TRUE(std::ranges::any_of(diagnostics.sorted(),
                                  [&](const Problem& problem) { return problem.message->id == id; }))
      << "the case does not give the message " << id;

  const auto expected = cases / id / "expected.txt";
  if (std::getenv("GPUHOST_UPDATE_GOLDEN") != nullptr)
    std::ofstream(expected, std::ios::binary) << diagnostics.render();
  EXPECT_EQ(read(expected), diagnostics.render());
}

std::vector<std::string> message_ids() {
  std::vector<std::string> ids;
  for (const auto* message : all_messages()) ids.emplace_back(message->id);
  return ids;
}

INSTANTIATE_TEST_SUITE_P(AllMessages, DiagnosticsCase, ::testing::ValuesIn(message_ids()),
                         [](const auto& param) {
                           auto name = param.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST(Messages, HaveUniqueIdsInOrder) {
  const auto ids = message_ids();
  EXPECT_TRUE(std::ranges::is_sorted(ids));
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), ids.size());
}

TEST(Messages, HaveNoCaseWithoutMessage) {
  const auto ids = message_ids();
  for (const auto& entry : fs::directory_iterator(cases))
    EXPECT_TRUE(std::ranges::find(ids, entry.path().filename().string()) != ids.end()) << entry.path();
}

Diagnostics with_problem(std::string text, Mark mark) {
  Diagnostics diagnostics;
  diagnostics.add_source({"host.yaml", std::move(text)});
  diagnostics.report(*all_messages().front(), mark, "wrong");
  return diagnostics;
}

TEST(Diagnostics, PointsAtTheColumnOfACharacterNotOfAByte) {
  EXPECT_EQ(with_problem("Größe: x\n", {0, 1, 10}).render(),
            "host.yaml:1:10: wrong\n     1 | Größe: x\n       |        ^\n");
}

TEST(Diagnostics, ShowsOnlyTheSurroundingsInALongLine) {
  const auto shown = with_problem(std::string(500, 'a') + "b" + std::string(500, 'a'), {0, 1, 501}).render();
  EXPECT_LT(shown.size(), 300U);
  EXPECT_NE(shown.find("…aaa"), std::string::npos);
}

TEST(Diagnostics, EscapesTextOfTheSource) {
  EXPECT_EQ(with_problem("a\x1b[2J", {0, 1, 1}).render().find('\x1b'), std::string::npos);
}

TEST(Diagnostics, DropsTheSecondOfTwoEqualProblems) {
  auto diagnostics = with_problem("a", {0, 1, 1});
  diagnostics.report(*all_messages().front(), {0, 1, 1}, "wrong");
  EXPECT_EQ(diagnostics.sorted().size(), 1U);
}

TEST(Diagnostics, SortsByPlace) {
  auto diagnostics = with_problem("a\nb\n", {0, 2, 1});
  diagnostics.report(*all_messages().front(), {0, 1, 1}, "first");
  EXPECT_EQ(diagnostics.sorted().front().text, "first");
}

}  // namespace
}  // namespace gpuhost
