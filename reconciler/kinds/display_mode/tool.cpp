#include "kinds/display_mode/tool.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "base/text.hpp"

namespace gpuhost {

namespace {

/// The hexadecimal number behind "B:" in "S:00,B:3D,D:00,F:00"; blanks and commas end it.
std::optional<unsigned> hex_field(std::string_view line, std::string_view name) {
  for (auto at = line.find(name); at != std::string_view::npos; at = line.find(name, at + 1)) {
    if (at > 0 && line[at - 1] != ' ' && line[at - 1] != ',') continue;
    unsigned value = 0;
    const auto* const begin = line.data() + at + name.size();
    const auto [end, error] = std::from_chars(begin, line.data() + line.size(), value, 16);
    if (error == std::errc() && end != begin) return value;
  }
  return std::nullopt;
}

std::optional<PciAddress> address_in(std::string_view line) {
  const auto bus = hex_field(line, "B:");
  if (!bus) return std::nullopt;
  return PciAddress::parse(fmt::format("{:04x}:{:02x}:{:02x}.{:x}", hex_field(line, "S:").value_or(0), *bus,
                                       hex_field(line, "D:").value_or(0), hex_field(line, "F:").value_or(0)));
}

/// "2" of "<2>"; empty: it does not begin like that.
std::string index_in(std::string_view line) {
  const auto text = trim(line);
  const auto end = text.find('>');
  if (!text.starts_with('<') || end == std::string_view::npos) return {};
  const auto index = text.substr(1, end - 1);
  return parse_unsigned(index) ? std::string(index) : std::string{};
}

/// Letters and digits only, small.
std::string plain(std::string_view text) {
  auto small = lower_case(text);
  std::erase_if(small, [](unsigned char c) { return std::isalnum(c) == 0; });
  return small;
}

Result<std::string> ask(const std::string& tool, std::vector<std::string> arguments,
                        CommandRunner& commands) {
  arguments.insert(arguments.begin(), tool);
  const auto shown = join(arguments, " ");
  const auto ran = commands.run({.argv = std::move(arguments)});
  if (!ran) return std::unexpected(Error(ran.error()).within(fmt::format("cannot run '{}'", shown)));
  const auto output = lines(trim(ran->output));
  if (ran->exit_code != 0)
    return fail(ErrorKind::io,
                fmt::format("'{}' ended with {}: {}", shown, ran->exit_code,
                            output.empty() ? std::string_view("it printed nothing") : trim(output.back())),
                "run it by hand to see all of its output");
  return ran->output;
}

Result<ListedAdapter> adapter_of(const PciAddress& gpu, const std::string& tool, const char* listing,
                                 CommandRunner& commands) {
  const auto output = ask(tool, {listing}, commands);
  if (!output) return std::unexpected(output.error());
  const auto adapters = parse_adapters(*output);
  const auto found = std::ranges::find(adapters, gpu, &ListedAdapter::address);
  if (found != adapters.end()) return *found;
  const auto said = lines(trim(*output));
  return fail(ErrorKind::mismatch,
              fmt::format("{} {} does not list GPU {}: {}", tool, listing, gpu.to_string(),
                          said.empty() ? std::string_view("it printed nothing") : trim(said.back())),
              "see that NVIDIA's driver is not loaded, and run it by hand");
}

}  // namespace

std::vector<ListedAdapter> parse_adapters(std::string_view output) {
  constexpr std::string_view mode = "mode";
  std::vector<ListedAdapter> adapters;
  for (const auto line : lines(output)) {
    if (const auto address = address_in(line)) {
      auto index = index_in(line);
      if (index.empty()) index = fmt::format("{}", adapters.size());
      adapters.push_back({std::move(index), *address, {}});
      continue;
    }
    const auto colon = line.find(':');
    if (adapters.empty() || colon == std::string_view::npos) continue;
    if (lower_case(trim(line.substr(0, colon))).ends_with(mode))
      adapters.back().mode = trim(line.substr(colon + 1));
  }
  return adapters;
}

bool is_mode(std::string_view printed, std::string_view argument) {
  const auto said = plain(printed);
  const auto asked = plain(argument);
  // Both names that displaymodeselector has for a mode: compute is the display disabled, graphics enabled.
  if (asked.starts_with("physicaldisplaydisabled"))
    return said.contains("physicaldisplaydisabled") || said == "compute";
  if (asked.starts_with("physicaldisplayenabled"))
    return said.contains("physicaldisplayenabled") || said == "graphics";
  return said.starts_with(asked);
}

Result<void> switch_display_mode(const std::string& tool, const std::string& argument, const PciAddress& gpu,
                                 CommandRunner& commands) {
  const auto adapter = adapter_of(gpu, tool, "--list", commands);
  if (!adapter) return std::unexpected(adapter.error());
  const auto done = ask(tool, {"--gpumode", argument, "-i", adapter->index, "--auto"}, commands);
  if (!done) return std::unexpected(done.error());
  const auto now = adapter_of(gpu, tool, "--listgpumodes", commands);
  if (!now) return std::unexpected(now.error());
  if (is_mode(now->mode, argument)) return {};
  const auto said = lines(trim(*done));
  return fail(ErrorKind::mismatch,
              fmt::format("{} has not switched GPU {} to {}: it lists {}; it said: {}", tool, gpu.to_string(),
                          argument, now->mode.empty() ? "no mode" : now->mode,
                          said.empty() ? std::string_view("nothing") : trim(said.back())),
              "run it by hand to see all of its output");
}

}  // namespace gpuhost
