#include "host/sim/sim_display_modes.hpp"

#include <algorithm>
#include <optional>

#include <fmt/core.h>

#include "base/text.hpp"
#include "host/sim/sim_nvidia.hpp"

namespace gpuhost {

namespace {

constexpr std::uint64_t mebibyte = 1024 * 1024;

/// As the tools print where an adapter is.
std::string line_of(std::size_t index, const PciAddress& gpu, const catalog::Board& board) {
  return fmt::format("<{}> {} (10DE,{:04X}) S:{:02X},B:{:02X},D:{:02X},F:{:02X}\n", index, board.product,
                     board.device_id, gpu.domain, gpu.bus, gpu.device, gpu.function);
}

/// "--gpumode MODE -i N --auto", in any order; nothing: something else.
struct Request {
  std::string mode;
  std::size_t index = 0;
};
std::optional<Request> request_in(const std::vector<std::string>& arguments) {
  Request request;
  bool automatic = false;
  bool chosen = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const bool has_value = i + 1 < arguments.size();
    if (arguments[i] == "--auto") {
      automatic = true;
    } else if (arguments[i] == "--gpumode" && has_value) {
      request.mode = arguments[++i];
    } else if (arguments[i] == "-i" && has_value) {
      const auto index = parse_unsigned(arguments[++i]);
      chosen = index.has_value();
      request.index = static_cast<std::size_t>(index.value_or(0));
    } else {
      return std::nullopt;
    }
  }
  return automatic && chosen && !request.mode.empty() ? std::optional(request) : std::nullopt;
}

}  // namespace

std::vector<SimDisplayModes::Adapter> SimDisplayModes::adapters(const std::string& tool) const {
  std::vector<Adapter> found;
  for (const auto& [address, gpu] : host_.machine.gpus) {
    if (!tree_.directory_of(address)) continue;
    const auto* board =
        catalog::board_of(static_cast<std::uint16_t>(tree_.number(address, "device").value_or(0)),
                          static_cast<std::uint16_t>(tree_.number(address, "subsystem_device").value_or(0)));
    if (board != nullptr && board->display_tool == tool) found.push_back({address, board});
  }
  return found;
}

std::string SimDisplayModes::stored(const Adapter& adapter) const {
  const auto& next = host_.machine.gpus.at(adapter.address).next_display;
  if (!next.empty()) return next;
  const auto type = tree_.number(adapter.address, "class").value_or(0) >> 8U;
  const auto modes = catalog::display_modes_of(*adapter.board);
  const auto now = std::ranges::find(modes, type, &catalog::DisplayMode::class_code);
  return now == modes.end() ? std::string("unknown") : std::string(now->argument);
}

CommandResult SimDisplayModes::run(const std::string& tool, const std::vector<std::string>& arguments) {
  if (tree_.has_driver(nvidia_driver))
    return {0, "ERROR: the NVIDIA kernel mode driver is loaded; unload it and run this again\n"};
  const auto known = adapters(tool);
  const bool lists = arguments == std::vector<std::string>{"--list"};
  const bool lists_modes = arguments == std::vector<std::string>{"--listgpumodes"};
  if (lists || lists_modes) {
    std::string output;
    for (std::size_t i = 0; i < known.size(); ++i) {
      output += line_of(i, known[i].address, *known[i].board);
      if (lists_modes) output += fmt::format("GPU Mode: {}\n", stored(known[i]));
    }
    return {0, std::move(output)};
  }
  const auto request = request_in(arguments);
  if (!request)
    return {1, fmt::format("{}: these arguments are not simulated: {}\n", tool, join(arguments, " "))};
  if (request->index >= known.size()) return {0, "ERROR: no such adapter\n"};
  const auto& adapter = known[request->index];
  const auto modes = catalog::display_modes_of(*adapter.board);
  if (std::ranges::find(modes, request->mode, &catalog::DisplayMode::argument) == modes.end())
    return {0, fmt::format("ERROR: {} is not supported on this adapter\n", request->mode)};
  host_.machine.gpus.at(adapter.address).next_display = request->mode;
  return {0, "Updating GPU Mode of the adapter\nA reboot is required for the update to take effect.\n"};
}

void SimDisplayModes::boot() {
  for (auto& [address, gpu] : host_.machine.gpus) {
    if (gpu.next_display.empty() || !tree_.directory_of(address)) continue;
    for (const auto* tool : {"gpumodeswitch", "displaymodeselector"})
      for (const auto& adapter : adapters(tool))
        if (adapter.address == address)
          for (const auto& mode : catalog::display_modes_of(*adapter.board))
            if (mode.argument == gpu.next_display) show(address, mode);
    gpu.next_display.clear();
  }
}

/// A VGA controller that is no console has boot_vga too, a 3D controller has none. Source: Linux
/// drivers/pci/pci-sysfs.c.
void SimDisplayModes::show(const PciAddress& gpu, const catalog::DisplayMode& mode) {
  constexpr unsigned vga = 0x0300;
  const auto directory = tree_.directory_of(gpu).value_or("");
  auto& files = tree_.files();
  files.put_text(directory + "/class", fmt::format("0x{:04x}00\n", mode.class_code));
  if (mode.class_code != vga)
    files.erase_tree(directory + "/boot_vga");
  else if (!files.text(directory + "/boot_vga"))
    files.put_text(directory + "/boot_vga", "0\n");
  const auto resources = files.text(directory + "/resource");
  if (!mode.bar1_mib || !resources) return;
  auto rows = lines(*resources);
  const auto fields = rows.size() > 1 ? words(rows[1]) : std::vector<std::string_view>{};
  const auto start = fields.size() == 3 ? parse_unsigned(fields[0]) : std::nullopt;
  if (!start) return;
  const auto line =
      fmt::format("0x{:016x} 0x{:016x} {}", *start, *start + *mode.bar1_mib * mebibyte - 1, fields[2]);
  rows[1] = line;
  std::string text;
  for (const auto row : rows) text.append(row).append("\n");
  files.put_text(directory + "/resource", text);
}

}  // namespace gpuhost
