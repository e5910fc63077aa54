#pragma once

#include <optional>
#include <span>
#include <vector>

namespace gpuhost {

/// A vGPU that is to lie somewhere on a GPU in mixed-size mode; in GB of framebuffer.
struct Lying {
  unsigned size = 0;
  std::vector<unsigned> starts;  ///< where it may lie, the lowest first
  bool operator==(const Lying&) const = default;
};

/// A start for each, so that none overlaps another within the framebuffer: each as low as those before it on
/// the GPU let it. Equal ones lie in their order. Nothing: they do not lie beside each other, whatever is
/// tried.
[[nodiscard]] std::optional<std::vector<unsigned>> lay_out(unsigned framebuffer_gb,
                                                           std::span<const Lying> vgpus);

}  // namespace gpuhost
