#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "catalog/boards.hpp"
#include "kinds/mig/layout.hpp"
#include "kinds/mig/mig.hpp"

namespace gpuhost {

/// One GPU instance that the document asks for.
struct NamedInstance {
  std::string label;  ///< "big", "small#1", "1g.5gb#0": stands for it in addresses of the plan
  const GpuInstanceProfile* profile = nullptr;
  WantedInstance instance;
  std::optional<std::vector<unsigned>> compute;  ///< slices of its compute instances; nothing: not managed
};

struct MigProblem {
  std::string message;
  std::string advice;
};

/// What a wish means for a GPU with these profiles.
struct WantedMig {
  bool on = false;
  std::vector<NamedInstance> instances;  ///< in the order of the document; point into the profiles
  std::vector<MigProblem> problems;      ///< why they are not what the document says

  [[nodiscard]] std::vector<WantedInstance> to_solve() const;
};

/// `board` is null where the catalogue does not know the GPU. `title` names it in messages.
[[nodiscard]] WantedMig wanted_mig(const MigWish& wish, std::span<const GpuInstanceProfile> profiles,
                                   const catalog::Board* board, const std::string& title);

}  // namespace gpuhost
