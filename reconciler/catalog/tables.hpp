#pragma once

#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "catalog/boards.hpp"

namespace gpuhost::catalog {

// A table is text: lines that start with `#` are comments, the first other line names the columns, each
// further one is a row, fields are separated by tabs, and `-` is a field without a value. What a parser
// returns points into the text.

extern const std::string_view boards_table;      ///< schema/catalog/boards.tsv
extern const std::string_view vgpu_types_table;  ///< schema/catalog/vgpu-types.tsv

/// Fails with the line and the column on the first row that it cannot read.
[[nodiscard]] Result<std::vector<Board>> parse_boards(std::string_view table);
[[nodiscard]] Result<std::vector<VgpuType>> parse_vgpu_types(std::string_view table);

}  // namespace gpuhost::catalog
