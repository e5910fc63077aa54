#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/json.hpp"
#include "base/text.hpp"
#include "base/uuid.hpp"
#include "document/messages.hpp"
#include "peers/document_draft.hpp"
#include "peers/peers.hpp"

namespace gpuhost {

namespace {

using Params = std::map<std::string, std::string>;

/// The vGPUs of a GPU that one entry of `vgpus` can say.
struct SameVgpus {
  std::string type;
  Params params;
  auto operator<=>(const SameVgpus&) const = default;
};

using VgpusOfGpus = std::map<PciAddress, std::map<SameVgpus, std::vector<Uuid>>>;

class MdevctlImport {
 public:
  explicit MdevctlImport(const PeerFiles& files) : files_(files) {}

  std::optional<Imported> run() {
    for (std::uint32_t source = 0; source < files_.diagnostics.source_count(); ++source) read(source);
    if (!files_.diagnostics.empty()) return std::nullopt;
    for (const auto& [address, vgpus] : vgpus_) add_gpu(address, vgpus);
    return std::move(draft_).finished("mdevctl");
  }

 private:
  void malformed(std::uint32_t source, std::string text) {
    files_.diagnostics.report(
        messages::malformed, Mark{source}, std::move(text),
        "give /etc/mdevctl.d/PARENT/UUID, or what 'mdevctl list --defined --dumpjson' prints");
  }

  void read(std::uint32_t source) {
    const auto& file = files_.diagnostics.source(source);
    const auto json = Json::parse(file.text, nullptr, false);
    if (json.is_array()) return read_listing(source, json);
    const auto path = split(file.name, '/');
    if (!json.is_object() || path.size() < 2)
      return malformed(source,
                       json.is_discarded() ? "it is not JSON" : "it is no definition of a mediated device");
    read_definition(source, path[path.size() - 2], path.back(), json);
  }

  /// [{PARENT: [{UUID: definition}]}]
  void read_listing(std::uint32_t source, const Json& listing) {
    for (const auto& parents : listing)
      for (const auto& [parent, devices] : parents.items())
        for (const auto& device : devices)
          for (const auto& [uuid, definition] : device.items())
            read_definition(source, parent, uuid, definition);
  }

  void read_definition(std::uint32_t source, std::string_view parent, std::string_view uuid,
                       const Json& definition) {
    const auto address = PciAddress::parse(parent);
    const auto id = Uuid::parse(uuid);
    const auto type = definition.is_object() ? definition.value("mdev_type", Json()) : Json();
    if (!id || !type.is_string())
      return malformed(source,
                       fmt::format("'{}' under '{}' is no definition of a mediated device", uuid, parent));
    const auto what = fmt::format("device {} under {}", uuid, parent);
    const auto* gpu = address ? files_.gpu_at(*address) : nullptr;
    if (gpu == nullptr)
      return draft_.leave_out(
          what + ": the host has no NVIDIA GPU with that address; give its recording with --host");
    const auto name =
        files_.host.files.read(fmt::format("/sys/bus/pci/devices/{}/mdev_supported_types/{}/name",
                                           address->to_string(), type.get<std::string>()));
    if (!name)
      return draft_.leave_out(fmt::format("{}: which type {} is cannot be told: {}", what,
                                          type.get<std::string>(), name.error().message));
    if (definition.value("start", "") == "auto")
      draft_.leave_out(
          what + ": mdevctl starts it at boot, beside gpuhost; undefine it there once it is in a document");
    vgpus_[gpu->address][{std::string(trim(*name)), params_of(definition, what)}].push_back(*id);
  }

  Params params_of(const Json& definition, const std::string& what) {
    Params params;
    for (const auto& attributes : definition.value("attrs", Json::array()))
      for (const auto& [attribute, value] : attributes.items()) {
        if (!attribute.ends_with("vgpu_params") || !value.is_string()) {
          draft_.leave_out(fmt::format("{}: attribute {}", what, attribute));
          continue;
        }
        for (const auto param : split(value.get_ref<const std::string&>(), ','))
          if (const auto equals = param.find('='); equals != std::string_view::npos)
            params.emplace(trim(param.substr(0, equals)), trim(param.substr(equals + 1)));
      }
    return params;
  }

  void add_gpu(const PciAddress& address, const std::map<SameVgpus, std::vector<Uuid>>& vgpus) {
    Node list = sequence_node();
    std::map<std::string, unsigned> names;
    for (const auto& [same, uuids] : vgpus) {
      auto name = name_of_vgpu_type(same.type);
      if (const auto nth = names[name]++; nth > 0) name += fmt::format("-{}", nth);
      Node entry = mapping_node();
      add_entry(entry, "name", text_node(std::move(name)));
      add_entry(entry, "type", text_node(same.type));
      auto& ids = add_entry(entry, "uuids", sequence_node());
      for (const auto& uuid : uuids) ids.items.push_back(text_node(uuid.to_string()));
      if (!same.params.empty()) {
        auto& params = add_entry(entry, "params", mapping_node());
        for (const auto& [key, value] : same.params) add_entry(params, key, text_node(value));
      }
      list.items.push_back(std::move(entry));
    }
    Node content = mapping_node();
    add_entry(content, "mode", plain_node("vgpu"));
    add_entry(content, "vgpus", std::move(list));
    draft_.add_gpu(match_node(address), std::move(content));
  }

  const PeerFiles& files_;
  DocumentDraft draft_;
  VgpusOfGpus vgpus_;
};

}  // namespace

std::optional<Imported> import_mdevctl(const PeerFiles& files) {
  return MdevctlImport(files).run();
}

}  // namespace gpuhost
