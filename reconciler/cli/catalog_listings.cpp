#include "cli/catalog_listings.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/boards.hpp"
#include "catalog/mig.hpp"
#include "kinds/mig/misfit.hpp"
#include "kinds/mig/profiles.hpp"

namespace gpuhost {

namespace {

using catalog::Board;
using catalog::MigGpu;
using catalog::MigProfile;

/// What vGPUs of a series run, and the product that is licensed for it.
struct Series {
  char letter;
  const char* runs;
  const char* product;
};

/// Source: NVIDIA vGPU software user guide, section 1.4.1.
constexpr auto series = std::to_array<Series>({{'Q', "virtual workstations", "vWS"},
                                               {'C', "compute, CUDA only", "vCS or NVIDIA AI Enterprise"},
                                               {'B', "virtual PCs, at most 45 frames a second", "vPC"},
                                               {'A', "virtual applications, one display", "vApps"}});

/// Source: NVIDIA MIG user guide, "MIG Device Names" and "Profiles for RTX PRO".
constexpr auto attributes = std::to_array<std::string_view>(
    {"+me      with one of the GPU's media engines (JPEG, OFA, and video decoders)",
     "+me.all  with all media engines", "-me      without media engines", "+gfx     can run graphics"});

template <class T>
Json json_or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json json_or_null(std::string_view text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

std::string pci_id(std::uint16_t device, std::optional<std::uint16_t> subsystem = {}) {
  const auto id = fmt::format("10de:{:04x}", device);
  return subsystem ? fmt::format("{}/10de:{:04x}", id, *subsystem) : id;
}

std::vector<std::string> pci_ids(const std::vector<const Board*>& boards) {
  std::vector<std::string> ids;
  for (const auto* board : boards) ids.push_back(pci_id(board->device_id, board->subsystem_device_id));
  return ids;
}

/// Rows that have one name, such as boards that share their vGPU types; in the order of the table.
template <class Row, class Name>
std::vector<std::vector<const Row*>> by_name(std::span<const Row> rows, Name name) {
  std::vector<std::vector<const Row*>> groups;
  for (const auto& row : rows) {
    const auto same =
        std::ranges::find_if(groups, [&](const auto& group) { return group.front()->*name == row.*name; });
    if (same == groups.end())
      groups.push_back({&row});
    else
      same->push_back(&row);
  }
  return groups;
}

std::unexpected<Error> no_such_gpu(const std::string& model, std::vector<std::string> known) {
  const auto near = suggest(model, known);
  return fail(
      ErrorKind::invalid, fmt::format("no GPU is called '{}' here", model),
      near ? fmt::format("did you mean '{}'?", *near) : "without --gpu, all that are known are listed");
}

Json type_row(const catalog::VgpuType& type, const Board& board) {
  const auto of = std::ranges::find(series, type.series, &Series::letter);
  return {{"name", type.name},
          {"series", std::string(1, type.series)},
          {"runs", of->runs},
          {"product", of->product},
          {"framebuffer_mb", json_or_null(type.framebuffer_mb)},
          {"heads", json_or_null(type.heads)},
          {"resolution", json_or_null(type.resolution)},
          {"max_per_gpu", json_or_null(type.max)},
          {"max_per_gpu_mixed", json_or_null(type.max_mixed)},
          {"max_per_board", type.max ? Json(*type.max * board.gpus_per_board) : Json(nullptr)},
          {"mig_profile", json_or_null(type.gpu_instance)}};
}

CatalogListing::Group type_group(const std::vector<const Board*>& boards) {
  const auto& board = *boards.front();
  CatalogListing::Group group;
  const auto ids = pci_ids(boards);
  group.title =
      fmt::format("{}, {} GB{}, types {}-…, {}", board.product, board.framebuffer_gb,
                  board.gpus_per_board == 1 ? "" : fmt::format(" on each of {} GPUs", board.gpus_per_board),
                  board.name, join(ids, ", "));
  group.about = {{"board", board.name},
                 {"product", board.product},
                 {"pci_ids", ids},
                 {"gpus_per_board", board.gpus_per_board},
                 {"framebuffer_gb", board.framebuffer_gb},
                 {"sriov", board.sriov}};
  for (const auto& type : catalog::types_of(board)) group.rows.push_back(type_row(type, board));
  return group;
}

const char* word(catalog::Evidence evidence) {
  switch (evidence) {
    case catalog::Evidence::captured:
      return "captured";
    case catalog::Evidence::documented:
      return "documented";
    case catalog::Evidence::test_data:
      return "test data of NVIDIA";
    case catalog::Evidence::analogy:
      return "by analogy with A100";
    case catalog::Evidence::none:
      break;
  }
  return "not known";
}

Json profile_row(const MigProfile& profile) {
  return {{"name", profile.name},
          {"also", json_or_null(profile.also)},
          {"id", json_or_null(profile.id)},
          {"compute_slices", profile.slices},
          {"memory_slices", json_or_null(profile.size)},
          {"max", profile.max},
          {"placements", profile.starts},
          {"memory_mb", json_or_null(profile.memory_mb)},
          {"multiprocessors", json_or_null(profile.multiprocessors)},
          {"driver", json_or_null(profile.driver)},
          {"seen", word(profile.id_evidence)},
          {"placements_seen", word(profile.placement_evidence)}};
}

/// What an empty GPU can be cut into so that nothing can be added, attributes of profiles aside.
std::vector<std::string> layouts_of(const MigGpu& gpu) {
  auto profiles = gpu.device_id ? known_mig_profiles(*gpu.device_id) : std::vector<GpuInstanceProfile>{};
  std::erase_if(profiles,
                [](const auto& profile) { return profile.name.find_first_of("+-") != std::string::npos; });
  std::vector<std::string> layouts;
  for (const auto& layout : full_layouts(profiles)) layouts.push_back(instances_text(profiles, layout));
  return layouts;
}

/// GPUs of one family.
CatalogListing::Group profile_group(const std::vector<const MigGpu*>& gpus) {
  const auto& gpu = *gpus.front();
  CatalogListing::Group group;
  std::vector<std::string> ids, products;
  for (const auto* one : gpus) {
    if (!one->device_id) continue;
    ids.push_back(pci_id(*one->device_id));
    if (const auto* board = catalog::board_of(*one->device_id, 0)) products.emplace_back(board->product);
  }
  group.title = fmt::format("{}: {} compute slices, {} memory slices", gpu.family, gpu.compute_slices,
                            gpu.memory_slices ? std::to_string(*gpu.memory_slices) : "unknown");
  group.about = {{"family", gpu.family},
                 {"pci_ids", ids},
                 {"products", products},
                 {"compute_slices", gpu.compute_slices},
                 {"memory_slices", json_or_null(gpu.memory_slices)},
                 {"mode_outlives_boot", gpu.keeps_mode}};
  for (const auto& profile : catalog::mig_profiles_of(gpu)) group.rows.push_back(profile_row(profile));
  const auto layouts = layouts_of(gpu);
  group.about["full_layouts"] = layouts;
  if (!layouts.empty()) group.remarks.emplace_back("full with");
  for (const auto& layout : layouts) group.remarks.push_back("  " + layout);
  return group;
}

/// What --gpu may call it.
std::vector<std::string> names_of(const MigGpu& gpu) {
  std::vector<std::string> names{std::string(gpu.family)};
  for (const auto& board : catalog::boards())
    if (board.device_id == gpu.device_id)
      names.insert(names.end(), {std::string(board.name), std::string(board.product)});
  return names;
}

}  // namespace

Result<CatalogListing> vgpu_types_listing(const std::string& model) {
  CatalogListing listing{.rows_key = "types",
                         .columns = {{"name", "TYPE"},
                                     {"series", "SERIES"},
                                     {"framebuffer_mb", "FRAMEBUFFER/MB"},
                                     {"heads", "HEADS"},
                                     {"resolution", "RESOLUTION"},
                                     {"max_per_gpu", "PER GPU"},
                                     {"max_per_gpu_mixed", "MIXED SIZES"},
                                     {"max_per_board", "PER BOARD"},
                                     {"mig_profile", "MIG PROFILE"}}};
  std::vector<std::string> known;
  const auto wanted = catalog::boards_named(model);
  for (const auto& boards : by_name(catalog::boards(), &Board::name)) {
    for (const auto* board : boards)
      known.insert(known.end(), {std::string(board->name), std::string(board->product)});
    const bool is_wanted =
        std::ranges::any_of(wanted, [&](const Board* board) { return board->name == boards.front()->name; });
    if (model.empty() || is_wanted) listing.groups.push_back(type_group(boards));
  }
  if (listing.groups.empty()) return no_such_gpu(model, std::move(known));
  for (const auto& one : series)
    listing.legend.push_back(fmt::format("{}  {} ({})", one.letter, one.runs, one.product));
  return listing;
}

Result<CatalogListing> mig_profiles_listing(const std::string& model) {
  CatalogListing listing{.rows_key = "profiles",
                         .columns = {{"name", "PROFILE"},
                                     {"id", "ID"},
                                     {"compute_slices", "COMPUTE"},
                                     {"memory_slices", "MEMORY"},
                                     {"max", "AT MOST"},
                                     {"placements", "PLACEMENTS"},
                                     {"memory_mb", "MIB"},
                                     {"multiprocessors", "SMS"},
                                     {"driver", "FROM"},
                                     {"seen", "SEEN"},
                                     {"placements_seen", "PLACEMENTS SEEN"}}};
  std::vector<std::string> known;
  for (const auto& gpus : by_name(catalog::mig_gpus(), &MigGpu::family)) {
    bool is_wanted = model.empty();
    for (const auto* gpu : gpus) {
      const auto names = names_of(*gpu);
      is_wanted = is_wanted || std::ranges::any_of(names, [&](const auto& name) {
                    return lower_case(name) == lower_case(model);
                  });
      known.insert(known.end(), names.begin(), names.end());
    }
    if (is_wanted) listing.groups.push_back(profile_group(gpus));
  }
  if (listing.groups.empty()) {
    if (!catalog::boards_named(model).empty())
      return fail(ErrorKind::invalid, fmt::format("GPU {} cannot be partitioned, as far as is known", model));
    return no_such_gpu(model, std::move(known));
  }
  listing.legend.assign(attributes.begin(), attributes.end());
  return listing;
}

}  // namespace gpuhost
