#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/display_modes.hpp"
#include "inventory/pci.hpp"
#include "kinds/display_mode/kind.hpp"
#include "kinds/gpu_facts.hpp"
#include "kinds/observed_json.hpp"

namespace gpuhost {

namespace {

/// NVIDIA delivers the tools in archives, for an administrator to put somewhere.
constexpr std::array tool_directories{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"};
constexpr std::uint64_t mebibyte = 1024 * 1024;

const catalog::Board* board_of(const Gpu& gpu) {
  return catalog::board_of(gpu.device_id, gpu.subsystem_device_id);
}

std::string directory_of(const PciAddress& gpu) {
  return fmt::format("/sys/bus/pci/devices/{}", gpu.to_string());
}

/// The PCI class is not that of a mode in which the GPU has no vGPUs.
bool is_fit_for_vgpus(const Gpu& gpu) {
  const auto* board = board_of(gpu);
  if (board == nullptr) return true;
  const auto modes = catalog::display_modes_of(*board);
  return std::ranges::none_of(
      modes, [&](const auto& mode) { return mode.class_code == gpu.class_code >> 8 && !mode.vgpus; });
}

/// Nothing: it cannot be told, or the BAR has no address space.
std::optional<std::uint64_t> bar1_mib(const PciAddress& gpu, const FileReader& files) {
  const auto text = files.read(directory_of(gpu) + "/resource");
  if (!text) return std::nullopt;
  const auto bars = parse_pci_resources(*text);
  if (bars.size() < 2 || bars[1].size() == 0) return std::nullopt;
  return bars[1].size() / mebibyte;
}

Result<std::string> find_tool(std::string_view name, const FileReader& files) {
  for (const auto* directory : tool_directories) {
    auto path = fmt::format("{}/{}", directory, name);
    const auto there = files.exists(path);
    if (!there) return std::unexpected(there.error());
    if (*there) return path;
  }
  return fail(ErrorKind::not_found, fmt::format("{} is not there", name),
              fmt::format("put it into {}; it comes with NVIDIA's vGPU software, or from "
                          "developer.nvidia.com/displaymodeselector",
                          tool_directories.front()));
}

/// The PCI Express switch of a board with several GPUs: two bridges above each of them. Empty: it does not
/// show.
std::string switch_of(const PciAddress& gpu, const FileReader& files) {
  const auto link = files.link_target(directory_of(gpu));
  if (!link) return {};
  auto parts = split(*link, '/');
  if (parts.size() < 3) return {};
  parts.resize(parts.size() - 2);
  const auto above = parts.back();
  return PciAddress::parse(above) ? std::string(above) : std::string{};
}

/// The other GPUs of its board: those that have its serial number, or are behind its switch.
std::vector<PciAddress> board_mates(const Gpu& gpu, const Inventory& inventory, const FileReader& files) {
  std::vector<PciAddress> mates;
  const auto* board = board_of(gpu);
  if (board == nullptr || board->gpus_per_board < 2) return mates;
  const auto above = switch_of(gpu.address, files);
  for (const auto& other : inventory.gpus) {
    if (other.address == gpu.address || board_of(other) != board) continue;
    const bool same_serial = gpu.serial && gpu.serial == other.serial;
    if (same_serial || (!above.empty() && switch_of(other.address, files) == above))
      mates.push_back(other.address);
  }
  return mates;
}

}  // namespace

std::unique_ptr<Kind> make_display_mode(std::vector<ForGpus<DisplayWish>> wishes, Omitted omitted) {
  return std::make_unique<DisplayModes>(std::move(wishes), omitted);
}

Fact display_fact(const PciAddress& gpu, std::string_view mode) {
  return {gpu_facts::subject(gpu), fmt::format("in mode {}", mode)};
}

Observed<std::string> mode_of(const Gpu& gpu, const FileReader& files) {
  const auto* board = board_of(gpu);
  if (board == nullptr) return Observed<std::string>::absent();
  const auto modes = catalog::display_modes_of(*board);
  if (modes.empty()) return Observed<std::string>::absent();
  const auto type = gpu.class_code >> 8;
  const bool by_bar = std::ranges::any_of(modes, [](const auto& mode) { return mode.bar1_mib.has_value(); });
  const auto bar1 = by_bar ? bar1_mib(gpu.address, files) : std::nullopt;
  for (const auto& mode : modes)
    if (mode.class_code == type && (!bar1 || !mode.bar1_mib || *bar1 == *mode.bar1_mib))
      return std::string(mode.mode);
  return Observed<std::string>::unknown(fmt::format(
      "PCI class {:04x}{} is that of no mode of a {}; {} --listgpumodes tells, while NVIDIA's driver is not "
      "loaded",
      type, bar1 ? fmt::format(" with {} MiB at BAR 1", *bar1) : "", board->product, board->display_tool));
}

DisplayModesState DisplayModes::look(const HostView& host) const {
  DisplayModesState state{.running = host.running, .inventory = inventory_of(host)};
  const auto* inventory = gpus_or_none(*state.inventory);
  if (!host.running || inventory == nullptr) return state;
  for (const auto& gpu : inventory->gpus) {
    const auto* board = board_of(gpu);
    auto mode = mode_of(gpu, host.files);
    if (board == nullptr || mode.is_absent()) continue;
    state.modes.emplace(gpu.address, std::move(mode));
    if (auto mates = board_mates(gpu, *inventory, host.files); !mates.empty())
      state.boards.emplace(gpu.address, std::move(mates));
    const std::string tool(board->display_tool);
    if (!state.tools.contains(tool)) state.tools.emplace(tool, find_tool(tool, host.files));
  }
  if (state.modes.empty()) return state;
  state.staged = staged_modes(host.files);
  state.driver = look_at_driver(host);
  return state;
}

Json DisplayModesState::describe() const {
  if (!running) return {{"not_applicable", "no kernel runs under --root"}};
  if (gpus_or_none(*inventory) == nullptr) return unknown_json(inventory->error());
  Json shown = Json::object();
  for (const auto& [address, mode] : modes) {
    auto& one = shown[address.to_string()];
    one = mode ? Json{{"mode", *mode}} : Json{{"unknown", mode.reason()}};
    if (const auto next = staged.find(address); next != staged.end()) one["next_boot"] = next->second;
  }
  return shown;
}

std::vector<Offer> DisplayModes::offer_from(const Fact& fact, const DisplayModesState& state,
                                            const PlanInput& /*input*/) const {
  const auto* seen = gpus_or_none(*state.inventory);
  if (fact != driver_away_fact() || seen == nullptr || !state.driver) return {};
  return {driver_away_offer(kind_name, *state.driver, *seen)};
}

std::optional<Truth> DisplayModes::holds_in(const Fact& fact, const DisplayModesState& state) const {
  if (fact == driver_away_fact())
    return state.driver ? Truth::of(state.driver->modules.empty())
                        : Truth::unknown(state.driver.error().message);
  const auto* seen = gpus_or_none(*state.inventory);
  if (seen == nullptr) return std::nullopt;
  for (const auto& [address, mode] : state.modes) {
    constexpr std::string_view in_mode = "in mode ";
    if (fact.subject != gpu_facts::subject(address) || !fact.state.starts_with(in_mode)) continue;
    return mode ? Truth::of(fact == display_fact(address, *mode)) : Truth::unknown(mode.reason());
  }
  for (const auto& gpu : seen->gpus)
    // Steps that switch to such a mode say that it comes with the next boot.
    if (fact == gpu_facts::fit_for_vgpus(gpu.address)) return Truth::of(is_fit_for_vgpus(gpu));
  return std::nullopt;
}

std::string DisplayModes::obstacle_in(const Fact& fact, const DisplayModesState& state) const {
  const auto* seen = gpus_or_none(*state.inventory);
  if (seen == nullptr) return {};
  for (const auto& gpu : seen->gpus) {
    if (fact != gpu_facts::fit_for_vgpus(gpu.address) || is_fit_for_vgpus(gpu)) continue;
    const auto* board = board_of(gpu);
    const auto modes = catalog::display_modes_of(*board);
    const auto now = std::ranges::find(modes, gpu.class_code >> 8, &catalog::DisplayMode::class_code);
    const auto needed = std::ranges::find(modes, true, &catalog::DisplayMode::vgpus);
    if (now == modes.end() || needed == modes.end()) return {};
    return fmt::format(
        "GPU {} ({}) is in {} mode (PCI class {:04x}), and vGPUs need {} mode: set display: auto in its "
        "entry, so that it is switched with {}",
        gpu.address.to_string(), board->product, now->mode, now->class_code, needed->mode,
        board->display_tool);
  }
  return {};
}

}  // namespace gpuhost
