#include "kinds/vgpu/placements.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace gpuhost {

namespace {

/// From the lowest GB up. What is left of each sort at a GB decides all that follows, so that no such pair is
/// tried twice.
class Search {
 public:
  Search(unsigned framebuffer_gb, std::span<const Lying> vgpus) : end_(framebuffer_gb), vgpus_(vgpus) {
    for (const auto& vgpu : vgpus) {
      const auto sort = sort_of(vgpu);
      if (sort == sorts_.size()) {
        sorts_.push_back(&vgpu);
        left_.push_back(0);
      }
      ++left_[sort];
    }
    starts_.resize(sorts_.size());
  }

  std::optional<std::vector<unsigned>> run() {
    if (!fill_from(0)) return std::nullopt;
    std::vector<std::size_t> given(sorts_.size());
    std::vector<unsigned> starts;
    for (const auto& vgpu : vgpus_) {
      const auto sort = sort_of(vgpu);
      starts.push_back(starts_[sort][given[sort]++]);
    }
    return starts;
  }

 private:
  [[nodiscard]] std::size_t sort_of(const Lying& vgpu) const {
    const auto sort = std::ranges::find_if(sorts_, [&](const Lying* one) { return *one == vgpu; });
    return static_cast<std::size_t>(sort - sorts_.begin());
  }

  bool fill_from(unsigned at) {
    if (std::ranges::all_of(left_, [](unsigned count) { return count == 0; })) return true;
    if (at >= end_ || !tried_.emplace(at, left_).second) return false;
    for (std::size_t i = 0; i < sorts_.size(); ++i) {
      const auto& sort = *sorts_[i];
      if (left_[i] == 0 || at + sort.size > end_ || !std::ranges::binary_search(sort.starts, at)) continue;
      --left_[i];
      starts_[i].push_back(at);
      if (fill_from(at + sort.size)) return true;
      starts_[i].pop_back();
      ++left_[i];
    }
    return fill_from(at + 1);
  }

  unsigned end_;
  std::span<const Lying> vgpus_;
  std::vector<const Lying*> sorts_;
  std::vector<unsigned> left_;                 ///< of each sort
  std::vector<std::vector<unsigned>> starts_;  ///< of those of each sort that lie
  std::set<std::pair<unsigned, std::vector<unsigned>>> tried_;
};

}  // namespace

std::optional<std::vector<unsigned>> lay_out(unsigned framebuffer_gb, std::span<const Lying> vgpus) {
  return Search(framebuffer_gb, vgpus).run();
}

}  // namespace gpuhost
