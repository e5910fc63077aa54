#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/catalog_listings.hpp"
#include "cli/output.hpp"
#include "cli/verbs.hpp"
#include "render/json_text.hpp"

namespace gpuhost {

namespace {

struct Table {
  std::string_view name;
  Result<CatalogListing> (*list)(const std::string& model);
};

constexpr auto tables = std::to_array<Table>({{"releases", releases_listing},
                                              {"vgpu-types", vgpu_types_listing},
                                              {"mig-profiles", mig_profiles_listing}});

ExitCode unknown_table(const std::string& wanted) {
  std::vector<std::string> names;
  for (const auto& table : tables) names.emplace_back(table.name);
  const auto near = suggest(wanted, names);
  return report({ErrorKind::invalid, fmt::format("unknown catalog '{}'", wanted),
                 near ? fmt::format("did you mean '{}'?", *near) : "one of: " + join(names, ", ")},
                ExitCode::usage);
}

}  // namespace

ExitCode run_catalog(const Options& options) {
  const auto table = std::ranges::find(tables, options.argument, &Table::name);
  if (table == tables.end()) return unknown_table(options.argument);
  const auto listing = table->list(options.gpu);
  if (!listing) return report(listing.error(), ExitCode::usage);
  print(options.format == "json" ? json_text(catalog_json(*listing))
                                 : catalog_text(*listing, output_style(options.no_color, options.verbose)));
  return ExitCode::done;
}

}  // namespace gpuhost
