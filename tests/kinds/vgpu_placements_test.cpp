#include "catalog/vgpu_placements.hpp"

#include <algorithm>
#include <random>

#include <gmock/gmock.h>

#include "catalog/boards.hpp"
#include "kinds/vgpu/placements.hpp"

namespace gpuhost::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::Optional;

const catalog::Board& board(const char* type) {
  const auto* known = catalog::find_type(type);
  return *std::ranges::find(catalog::boards(), known->board, &catalog::Board::name);
}

Lying of_size(const catalog::Board& gpu, unsigned size) {
  return {size, catalog::placements_of(gpu, size)};
}

bool overlap(unsigned start, unsigned size, unsigned other, unsigned other_size) {
  return start < other + other_size && other < start + size;
}

/// Tries all that there is.
bool can_lie(std::span<const Lying> left, std::vector<std::pair<unsigned, unsigned>>& lying) {
  if (left.empty()) return true;
  for (const auto start : left.front().starts) {
    const auto size = left.front().size;
    if (std::ranges::any_of(lying,
                            [&](const auto& one) { return overlap(start, size, one.first, one.second); }))
      continue;
    lying.emplace_back(start, size);
    const bool done = can_lie(left.subspan(1), lying);
    lying.pop_back();
    if (done) return true;
  }
  return false;
}

TEST(VgpuPlacements, AreChosenFromTheLowestUp) {
  const auto& a100 = board("A100-4C");
  const std::vector all{of_size(a100, 4), of_size(a100, 20), of_size(a100, 4), Lying{8, {32}}};
  EXPECT_THAT(lay_out(a100.framebuffer_gb, all), Optional(ElementsAre(20, 0, 26, 32)));
}

TEST(VgpuPlacements, AreTheirsWhateverTheOrder) {
  const auto& a100 = board("A100-4C");
  EXPECT_THAT(
      lay_out(a100.framebuffer_gb, std::vector{of_size(a100, 8), of_size(a100, 20), of_size(a100, 8)}),
      Optional(ElementsAre(0, 20, 12)));
  EXPECT_FALSE(lay_out(a100.framebuffer_gb, std::vector{Lying{4, {0}}, Lying{4, {20}}, of_size(a100, 20)}));
  EXPECT_THAT(lay_out(a100.framebuffer_gb, {}), Optional(::testing::IsEmpty()));
}

/// Random wishes on GPUs of each size against a search through all.
TEST(VgpuPlacements, AreFoundIfAndOnlyIfThereAreSome) {
  std::mt19937 random(5);
  unsigned found = 0;
  unsigned none = 0;
  for (const char* type : {"A16-4C", "A30-4C", "A100-4C", "H100-4C", "H100L-4C", "RTX5000-Ada-4Q"}) {
    const auto& gpu = board(type);
    std::vector<Lying> sorts;
    for (unsigned size = gpu.framebuffer_gb / 10; size < gpu.framebuffer_gb; ++size)
      if (auto sort = of_size(gpu, size); !sort.starts.empty()) sorts.push_back(std::move(sort));
    ASSERT_GE(sorts.size(), 3U) << type;
    for (int i = 0; i < 300; ++i) {
      std::vector<Lying> wanted(2 + random() % 6);
      for (auto& one : wanted) {
        one = sorts[random() % sorts.size()];
        if (random() % 4 == 0) one.starts = {one.starts[random() % one.starts.size()]};
      }
      std::vector<std::pair<unsigned, unsigned>> lying;
      const auto starts = lay_out(gpu.framebuffer_gb, wanted);
      ASSERT_EQ(starts.has_value(), can_lie(wanted, lying)) << type;
      ++(starts ? found : none);
      if (!starts) continue;
      for (std::size_t a = 0; a < wanted.size(); ++a) {
        EXPECT_TRUE(std::ranges::binary_search(wanted[a].starts, (*starts)[a]));
        for (std::size_t b = 0; b < a; ++b)
          EXPECT_FALSE(overlap((*starts)[a], wanted[a].size, (*starts)[b], wanted[b].size)) << type;
      }
    }
  }
  EXPECT_GT(found, 200U);
  EXPECT_GT(none, 200U);
}

}  // namespace
}  // namespace gpuhost::testing
