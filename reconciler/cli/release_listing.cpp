#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/releases.hpp"
#include "cli/catalog_listings.hpp"

namespace gpuhost {

namespace {

Json json_or_null(std::string_view text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

CatalogListing::Group branch_group(const catalog::Branch& branch) {
  CatalogListing::Group group;
  std::vector<std::string> guests;
  for (const auto major : branch.guests) guests.push_back(std::to_string(major));
  group.title = fmt::format("vGPU software {}: driver {}, {}, support until {}, guests with drivers of {}",
                            branch.major, branch.driver, branch.long_term ? "LTS" : "production",
                            branch.end_of_support.empty() ? "an unknown month" : branch.end_of_support,
                            join(guests, ", "));
  group.about = {{"major", branch.major},
                 {"driver_branch", branch.driver},
                 {"long_term_support", branch.long_term},
                 {"end_of_support", json_or_null(branch.end_of_support)},
                 {"guest_branches", branch.guests}};
  for (const auto& release : catalog::releases())
    if (release.major == branch.major)
      group.rows.push_back({{"release", release.name},
                            {"manager", release.manager},
                            {"linux", release.linux_guest},
                            {"windows", release.windows_guest},
                            {"date", json_or_null(release.date)}});
  return group;
}

std::string denied_by(catalog::Product product) {
  std::vector<std::string> boards;
  for (const auto& denied : catalog::denied_boards())
    if (denied.product == product) boards.emplace_back(denied.board);
  return join(boards, ", ");
}

}  // namespace

Result<CatalogListing> releases_listing(const std::string& model) {
  if (!model.empty())
    return fail(ErrorKind::invalid, "releases are not listed by GPU",
                "leave --gpu out: below the releases stands what a product leaves out");
  CatalogListing listing{.rows_key = "releases",
                         .columns = {{"release", "RELEASE"},
                                     {"manager", "MANAGER"},
                                     {"linux", "LINUX"},
                                     {"windows", "WINDOWS"},
                                     {"date", "DATE"}}};
  for (const auto& branch : catalog::branches()) listing.groups.push_back(branch_group(branch));
  listing.legend = {
      "product vgpu (NVIDIA vGPU) does not drive " + denied_by(catalog::Product::vgpu),
      "product nvaie (NVIDIA AI Enterprise) does not drive " + denied_by(catalog::Product::nvaie)};
  return listing;
}

}  // namespace gpuhost
