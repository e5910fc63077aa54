#include "peers/gpu_configurations.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.hpp"
#include "document/messages.hpp"
#include "document/yaml.hpp"

namespace gpuhost {

namespace {

constexpr unsigned highest_index = 255;

/// An entry of a configuration.
struct Part {
  std::vector<std::string> pci_ids;  ///< "10de:20b0"; empty: GPUs of any sort
  bool by_index = false;             ///< some of them, by a number that NVIDIA's driver gives
  Node content;
};

struct Configuration {
  std::string name;
  std::vector<Part> parts;
};

/// "0x20B010DE", device before vendor, to "10de:20b0".
std::optional<std::string> pci_id(std::string_view text) {
  constexpr std::size_t digits = 8;
  const auto number =
      text.starts_with("0x") && text.size() == 2 + digits ? parse_unsigned(text) : std::nullopt;
  if (!number) return std::nullopt;
  return fmt::format("{:04x}:{:04x}", *number & 0xffffU, *number >> 16U);
}

/// "0x233010DE" or, with a subsystem, "0x233010DE:0x16C110DE".
void decode_filter(const Value& value, Part& part) {
  const auto text = value.text();
  if (!text) return;
  std::vector<std::string> ids;
  for (const auto id : split(*text, ':'))
    if (auto decoded = pci_id(id)) ids.push_back(*std::move(decoded));
  const auto wanted = split(*text, ':').size();
  if (ids.size() == wanted && wanted <= 2)
    part.pci_ids.push_back(join(ids, "/"));
  else
    value.report(messages::malformed, fmt::format("'{}' is not a device filter", *text),
                 "write it as 0x20B010DE: the PCI device, then the vendor");
}

void decode_filters(const Value& value, Part& part) {
  if (value && value.node()->kind == Node::Kind::scalar) return decode_filter(value, part);
  for (const auto& item : value.list().value_or(std::vector<Value>{})) decode_filter(item, part);
}

void decode_devices(const Value& value, Part& part) {
  constexpr std::array<Word<bool>, 1> all{{{"all", true}}};
  if (value && value.node()->kind == Node::Kind::scalar) {
    static_cast<void>(value.word<bool>(all));
    return;
  }
  part.by_index = true;
  for (const auto& item : value.list().value_or(std::vector<Value>{}))
    static_cast<void>(item.integer(0, highest_index));
}

std::vector<Configuration> decode_file(const Value& file, std::string_view key, const DecodeGpus& decode,
                                       DocumentDraft& draft) {
  constexpr std::array<Word<bool>, 1> versions{{{"v1", true}}};
  auto reader = file.mapping();
  static_cast<void>(reader.required("version").word<bool>(versions));
  std::vector<Configuration> configurations;
  for (const auto& named : reader.required(key).entries().value_or(std::vector<NamedValue>{})) {
    auto& configuration = configurations.emplace_back(Configuration{.name = named.name, .parts = {}});
    for (const auto& item : named.value.list().value_or(std::vector<Value>{})) {
      auto entry = item.mapping();
      Part part;
      decode_filters(entry.at("device-filter"), part);
      decode_devices(entry.required("devices"), part);
      part.content = decode(entry, named.name, draft);
      configuration.parts.push_back(std::move(part));
    }
  }
  return configurations;
}

void add_gpus(const Configuration& configuration, DocumentDraft& draft) {
  for (const auto& part : configuration.parts) {
    if (part.by_index) {
      draft.add_layout(configuration.name, part.content);
      draft.leave_out(
          fmt::format("'{}' means GPUs by their index, which a document does not know: what it makes of them "
                      "is a layout; name "
                      "the GPUs by address",
                      configuration.name));
      continue;
    }
    for (const auto& id : part.pci_ids) draft.add_gpu(match_node("pciId", id), part.content);
    if (!part.pci_ids.empty()) continue;
    Node all = mapping_node();
    add_entry(all, "all", plain_node("true"));
    draft.add_gpu(std::move(all), part.content);
  }
}

void add_layouts(const std::vector<Configuration>& configurations, DocumentDraft& draft) {
  for (const auto& configuration : configurations)
    for (const auto& part : configuration.parts) draft.add_layout(configuration.name, part.content);
  draft.leave_out(
      fmt::format("the files have {} configurations, and which of them applies is not in them: they are "
                  "layouts; choose one "
                  "with --configuration",
                  configurations.size()));
}

}  // namespace

std::optional<Imported> import_configurations(const PeerFiles& files, std::string_view key,
                                              const DecodeGpus& decode) {
  DocumentDraft draft;
  std::vector<Configuration> all;
  Reading reading{files.diagnostics};
  for (std::uint32_t source = 0; source < files.diagnostics.source_count(); ++source) {
    const auto node = parse_yaml(source, files.diagnostics);
    if (!node) continue;
    auto decoded = decode_file(Value(&*node, "", node->mark, reading), key, decode, draft);
    std::ranges::move(decoded, std::back_inserter(all));
  }
  const auto chosen = std::ranges::find(all, files.configuration, &Configuration::name);
  if (!files.configuration.empty() && chosen == all.end()) {
    std::vector<std::string> names;
    std::ranges::transform(all, std::back_inserter(names), &Configuration::name);
    const auto near = suggest(files.configuration, names);
    files.diagnostics.report(messages::undefined_name, Mark{},
                             fmt::format("there is no configuration '{}'", files.configuration),
                             near ? fmt::format("did you mean '{}'?", *near) : std::string());
  }
  if (!files.diagnostics.empty()) return std::nullopt;
  if (chosen == all.end() && all.size() > 1) {
    add_layouts(all, draft);
    return std::move(draft).finished(key);
  }
  const auto& one = chosen == all.end() ? all.front() : *chosen;
  add_gpus(one, draft);
  return std::move(draft).finished(one.name);
}

}  // namespace gpuhost
