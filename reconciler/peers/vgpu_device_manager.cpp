#include <string>

#include <fmt/format.h>

#include "base/text.hpp"
#include "document/formats.hpp"
#include "peers/gpu_configurations.hpp"

namespace gpuhost {

namespace {

constexpr unsigned most_vgpus = 4096;

/// "A100-3-20C" has the slices of a GPU instance between board and framebuffer.
bool is_mig_backed(std::string_view type) {
  const auto parts = split(type, '-');
  return parts.size() >= 3 && parse_unsigned(parts[parts.size() - 2]).has_value();
}

/// The attribute of the GPU instance that it writes behind a type: "DC-1-24QGFX" is DC-1-24Q on "+gfx".
std::string_view attribute_of(std::string_view type) {
  for (const std::string_view suffix : {"GFX", "ME"})
    if (type.ends_with(suffix)) return suffix;
  return {};
}

Node decode(MapReader& entry, std::string_view name, DocumentDraft& draft) {
  Node content = mapping_node();
  add_entry(content, "mode", plain_node("vgpu"));
  Node vgpus = sequence_node();
  bool partitioned = false;
  const Value devices = entry.required("vgpu-devices");
  for (const auto& [key, written, value] : devices.entries().value_or(std::vector<NamedValue>{})) {
    const auto count = value.integer(1, most_vgpus).value_or(1);
    const auto attribute = attribute_of(written);
    const auto type = written.substr(0, written.size() - attribute.size());
    partitioned = partitioned || is_mig_backed(type);
    if (!attribute.empty())
      draft.leave_out(fmt::format(
          "'{}' of '{}' asks for GPU instances with +{}: list them under mig, with the vGPUs' instance",
          written, name, lower_case(attribute)));
    Node vgpu = mapping_node();
    add_entry(vgpu, "name", text_node(name_of_vgpu_type(type)));
    add_entry(vgpu, "type", text_node(type));
    if (count > 1) add_entry(vgpu, "count", plain_node(std::to_string(count)));
    vgpus.items.push_back(std::move(vgpu));
  }
  if (partitioned) add_entry(content, "mig", plain_node("auto"));
  add_entry(content, "vgpus", std::move(vgpus));
  return content;
}

}  // namespace

std::optional<Imported> import_vgpu_device_manager(const PeerFiles& files) {
  return import_configurations(files, "vgpu-configs", decode);
}

}  // namespace gpuhost
