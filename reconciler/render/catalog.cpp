#include "render/catalog.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace gpuhost {

namespace {

std::string cell_text(const Json& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::string text;
  for (const auto& item : value) text += (text.empty() ? "" : ",") + cell_text(item);
  return text.empty() ? "-" : text;
}

bool is_numeric(const std::vector<Json>& rows, const char* key) {
  return std::ranges::all_of(rows,
                             [&](const Json& row) { return row[key].is_number() || row[key].is_null(); });
}

/// Numbers to the right, words to the left.
std::string group_text(const CatalogListing::Group& group, const std::vector<CatalogListing::Column>& columns,
                       const Style& style) {
  std::vector<std::string> lines(group.rows.size() + 1);
  for (const auto& column : columns) {
    std::vector<std::string> cells{column.heading};
    for (const auto& row : group.rows) cells.push_back(cell_text(row[column.key]));
    const auto width = std::ranges::max(cells, {}, &std::string::size).size();
    const bool right = is_numeric(group.rows, column.key);
    for (std::size_t i = 0; i < lines.size(); ++i)
      lines[i] += right ? fmt::format("  {:>{}}", cells[i], width) : fmt::format("  {:<{}}", cells[i], width);
  }
  std::string text = style.bold(group.title) + "\n";
  for (auto& line : lines) text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  for (const auto& remark : group.remarks) text += "  " + remark + "\n";
  return text;
}

}  // namespace

Json catalog_json(const CatalogListing& listing) {
  Json groups = Json::array();
  for (const auto& group : listing.groups) {
    groups.push_back(group.about);
    groups.back()[listing.rows_key] = group.rows;
  }
  return groups;
}

std::string catalog_text(const CatalogListing& listing, const Style& style) {
  std::string text;
  for (const auto& group : listing.groups)
    text += (text.empty() ? "" : "\n") + group_text(group, listing.columns, style);
  if (!listing.legend.empty()) text += "\n";
  for (const auto& line : listing.legend) text += line + "\n";
  return text;
}

}  // namespace gpuhost
