#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "render/style.hpp"

namespace gpuhost {

/// What `catalog` prints of one built-in table: groups of rows, such as the vGPU types of each board.
struct CatalogListing {
  struct Column {
    const char* key;      ///< in rows, and in JSON
    const char* heading;  ///< in text
  };
  struct Group {
    std::string title;
    Json about;              ///< what JSON says beside the rows; an object
    std::vector<Json> rows;  ///< objects that have each column; null: not known, or not applicable
    std::vector<std::string> remarks = {};  ///< lines of the text below the rows
  };
  const char* rows_key;  ///< "types"
  std::vector<Column> columns;
  std::vector<Group> groups;
  std::vector<std::string> legend;  ///< lines that explain words of the text
};

/// An array: each group with its rows.
[[nodiscard]] Json catalog_json(const CatalogListing& listing);
[[nodiscard]] std::string catalog_text(const CatalogListing& listing, const Style& style);

}  // namespace gpuhost
