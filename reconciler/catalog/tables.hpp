#pragma once

#include <algorithm>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "catalog/boards.hpp"
#include "catalog/display_modes.hpp"
#include "catalog/mig.hpp"
#include "catalog/releases.hpp"
#include "catalog/vgpu_placements.hpp"

namespace gpuhost::catalog {

// A table is text: lines that start with `#` are comments, the first other line names the columns, each
// further one is a row, fields are separated by tabs, and `-` is a field without a value. What a parser
// returns points into the text.

extern const std::string_view boards_table;           ///< schema/catalog/boards.tsv
extern const std::string_view vgpu_types_table;       ///< schema/catalog/vgpu-types.tsv
extern const std::string_view mig_gpus_table;         ///< schema/catalog/mig-gpus.tsv
extern const std::string_view mig_profiles_table;     ///< schema/catalog/mig-profiles.tsv
extern const std::string_view vgpu_releases_table;    ///< schema/catalog/vgpu-releases.tsv
extern const std::string_view vgpu_branches_table;    ///< schema/catalog/vgpu-branches.tsv
extern const std::string_view denied_boards_table;    ///< schema/catalog/denied-boards.tsv
extern const std::string_view display_modes_table;    ///< schema/catalog/display-modes.tsv
extern const std::string_view vgpu_placements_table;  ///< schema/catalog/vgpu-placements.tsv

/// Fails with the line and the column on the first row that it cannot read.
[[nodiscard]] Result<std::vector<Board>> parse_boards(std::string_view table);
[[nodiscard]] Result<std::vector<VgpuType>> parse_vgpu_types(std::string_view table);
[[nodiscard]] Result<std::vector<MigGpu>> parse_mig_gpus(std::string_view table);
[[nodiscard]] Result<std::vector<MigProfile>> parse_mig_profiles(std::string_view table);
[[nodiscard]] Result<std::vector<Release>> parse_releases(std::string_view table);
[[nodiscard]] Result<std::vector<Branch>> parse_branches(std::string_view table);
[[nodiscard]] Result<std::vector<DeniedBoard>> parse_denied_boards(std::string_view table);
[[nodiscard]] Result<std::vector<DisplayMode>> parse_display_modes(std::string_view table);
[[nodiscard]] Result<std::vector<VgpuPlacements>> parse_vgpu_placements(std::string_view table);

/// The rows of one owner, which stand together.
template <class Value, class Key>
[[nodiscard]] std::span<const Value> run_of(std::span<const Value> rows, std::string_view owner, Key key) {
  const auto first = std::ranges::find(rows, owner, key);
  return {first, std::ranges::find_if(first, rows.end(), [&](auto of) { return of != owner; }, key)};
}

}  // namespace gpuhost::catalog
