#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/json.hpp"
#include "base/text.hpp"
#include "document/messages.hpp"
#include "peers/document_draft.hpp"
#include "peers/peers.hpp"

namespace gpuhost {

namespace {

struct Setting {
  std::string section;
  std::string key;
  std::string value;
  Mark mark;
};

/// As oslo.config reads it: a line that begins with a blank goes on with the value before.
std::vector<Setting> settings_in(std::uint32_t source, Diagnostics& diagnostics) {
  std::vector<Setting> settings;
  std::string section;
  std::uint32_t number = 0;
  for (const auto line : lines(diagnostics.source(source).text)) {
    const Mark mark{source, ++number};
    const auto text = trim(line);
    if (text.empty() || text.starts_with('#') || text.starts_with(';')) continue;
    const auto equals = text.find('=');
    if (line.front() == ' ' || line.front() == '\t') {
      if (!settings.empty()) settings.back().value.append(" ").append(text);
    } else if (text.starts_with('[') && text.ends_with(']')) {
      section = text.substr(1, text.size() - 2);
    } else if (equals == std::string_view::npos) {
      diagnostics.report(messages::malformed, mark, fmt::format("'{}' is no setting", text),
                         "write it as key = value");
    } else {
      settings.push_back({section, std::string(trim(text.substr(0, equals))),
                          std::string(trim(text.substr(equals + 1))), mark});
    }
  }
  return settings;
}

std::vector<std::string> list_in(std::string_view value) {
  std::vector<std::string> items;
  for (const auto item : split(value, ','))
    if (!trim(item).empty()) items.emplace_back(trim(item));
  return items;
}

bool is_type_section(std::string_view section) {
  return section.starts_with("mdev_") || section.starts_with("vgpu_");
}

class NovaImport {
 public:
  explicit NovaImport(const PeerFiles& files) : files_(files) {}

  std::optional<Imported> run() {
    for (std::uint32_t source = 0; source < files_.diagnostics.source_count(); ++source)
      for (const auto& setting : settings_in(source, files_.diagnostics)) read(setting);
    if (!files_.diagnostics.empty()) return std::nullopt;
    for (const auto& type : enabled_types_)
      if (!placed_types_.contains(type))
        draft_.leave_out(fmt::format(
            "type {} without device_addresses: Nova takes every GPU that offers it; name those GPUs", type));
    for (const auto& [address, use] : uses_) add_gpu(address, use);
    return std::move(draft_).finished("nova");
  }

 private:
  enum class Use { vgpu, passthrough };

  void read(const Setting& setting) {
    const auto& [section, key, value, mark] = setting;
    if (section == "devices" && (key == "enabled_mdev_types" || key == "enabled_vgpu_types")) {
      enabled_types_ = list_in(value);
    } else if (is_type_section(section) && key == "device_addresses") {
      placed_types_.insert(section.substr(section.find('_') + 1));
      for (const auto& address : list_in(value)) use(address, Use::vgpu);
    } else if (is_type_section(section) || section == "devices") {
      draft_.leave_out(fmt::format("[{}] {}: what Nova makes on the functions is its own", section, key));
    } else if (section == "pci" && (key == "device_spec" || key == "passthrough_whitelist")) {
      read_specs(setting);
    } else if (section == "pci") {
      draft_.leave_out(fmt::format("[pci] {}: what Nova gives to guests is its own", key));
    }
  }

  void use(const std::string& text, Use how) {
    const auto address = PciAddress::parse(text);
    const auto* gpu = address ? files_.gpu_at(*address) : nullptr;
    if (gpu == nullptr)
      return draft_.leave_out(
          fmt::format("{}: the host has no NVIDIA GPU there; give its recording with --host", text));
    const bool whole = gpu->address == *address;
    uses_[gpu->address] = how == Use::passthrough && whole ? Use::passthrough : Use::vgpu;
  }

  void read_specs(const Setting& setting) {
    const auto json = Json::parse(setting.value, nullptr, false);
    if (json.is_discarded() || !json.is_structured())
      return files_.diagnostics.report(messages::malformed, setting.mark,
                                       fmt::format("[pci] {} is not JSON", setting.key));
    for (const auto& spec : json.is_array() ? json : Json::array({json})) read_spec(spec);
  }

  void read_spec(const Json& spec) {
    const auto text = [&](const char* key) {
      return spec.is_object() && spec.contains(key) && spec[key].is_string() ? spec[key].get<std::string>()
                                                                             : std::string();
    };
    constexpr std::string_view nvidia = "10de";
    if (const auto address = text("address"); !address.empty()) return use(address, Use::passthrough);
    if (text("vendor_id") != nvidia || text("product_id").empty())
      return draft_.leave_out(
          fmt::format("[pci] {}: it names no NVIDIA device by address or id", spec.dump()));
    Node content = mapping_node();
    add_entry(content, "mode", plain_node("passthrough"));
    draft_.add_gpu(match_node("pciId", fmt::format("{}:{}", nvidia, lower_case(text("product_id")))),
                   std::move(content));
  }

  void add_gpu(const PciAddress& address, Use use) {
    Node content = mapping_node();
    add_entry(content, "mode", plain_node(use == Use::vgpu ? "vgpu" : "passthrough"));
    const auto* gpu = files_.gpu_at(address);
    if (use == Use::vgpu && gpu != nullptr && gpu->total_functions)
      add_entry(content, "functions", plain_node("enabled"));
    draft_.add_gpu(match_node(address), std::move(content));
  }

  const PeerFiles& files_;
  DocumentDraft draft_;
  std::vector<std::string> enabled_types_;
  std::set<std::string> placed_types_;
  std::map<PciAddress, Use> uses_;
};

}  // namespace

std::optional<Imported> import_nova(const PeerFiles& files) {
  return NovaImport(files).run();
}

}  // namespace gpuhost
