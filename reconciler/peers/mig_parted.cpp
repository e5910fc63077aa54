#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.hpp"
#include "document/messages.hpp"
#include "peers/gpu_configurations.hpp"

namespace gpuhost {

namespace {

constexpr unsigned most_instances = 1024;

/// Compute instances of one GPU instance.
struct Filled {
  std::string profile;            ///< of the GPU instance
  std::vector<unsigned> compute;  ///< compute slices of each
};

/// "3g.20gb" to 3.
unsigned slices_of(std::string_view profile) {
  return static_cast<unsigned>(parse_unsigned(profile.substr(0, profile.find('g'))).value_or(0));
}

/// "1c.3g.20gb" to 1; 0: it is the profile of a GPU instance.
unsigned compute_slices_of(std::string_view profile) {
  const auto size = profile.substr(0, profile.find('.'));
  return size.ends_with('c')
             ? static_cast<unsigned>(parse_unsigned(size.substr(0, size.size() - 1)).value_or(0))
             : 0;
}

/// Compute instances fill GPU instances as mig-parted makes them: the largest first, and a new GPU instance
/// when the last one is full.
std::vector<Filled> fill(const std::string& profile, std::vector<unsigned> compute) {
  std::ranges::sort(compute, std::greater{});
  std::vector<Filled> instances;
  unsigned left = 0;
  for (const auto slices : compute) {
    if (slices > left || instances.empty()) {
      instances.push_back({profile, {}});
      left = slices_of(profile);
    }
    instances.back().compute.push_back(slices);
    left -= std::min(left, slices);
  }
  return instances;
}

Node instance_node(const std::string& profile, unsigned count) {
  Node node = mapping_node();
  add_entry(node, "profile", text_node(profile));
  if (count > 1) add_entry(node, "count", plain_node(std::to_string(count)));
  return node;
}

Node filled_node(const Filled& filled) {
  Node node = instance_node(filled.profile, 1);
  auto& compute = add_entry(node, "compute", sequence_node());
  for (auto at = filled.compute.begin(); at != filled.compute.end();) {
    const auto next = std::find_if(at, filled.compute.end(), [&](unsigned slices) { return slices != *at; });
    compute.items.push_back(
        instance_node(fmt::format("{}c.{}", *at, filled.profile), static_cast<unsigned>(next - at)));
    at = next;
  }
  return node;
}

/// "1g.5gb": 2, "1c.3g.20gb": 3.
Node decode_instances(const Value& devices) {
  Node list = sequence_node();
  std::map<std::string, std::vector<unsigned>> compute;  // by profile of the GPU instance
  for (const auto& named : devices.entries().value_or(std::vector<NamedValue>{})) {
    const auto count = named.value.integer(0, most_instances).value_or(0);
    const auto slices = compute_slices_of(named.name);
    const auto profile = slices > 0 ? named.name.substr(named.name.find('.') + 1) : named.name;
    if (slices_of(profile) == 0)
      named.key.report(messages::malformed, fmt::format("'{}' is not a MIG profile", named.name),
                       "write it as 3g.20gb or 1c.3g.20gb");
    else if (slices > 0)
      compute[profile].insert(compute[profile].end(), count, slices);
    else if (count > 0)
      list.items.push_back(instance_node(profile, count));
  }
  for (const auto& [profile, slices] : compute)
    for (const auto& filled : fill(profile, slices)) list.items.push_back(filled_node(filled));
  return list;
}

Node decode(MapReader& entry, std::string_view /*name*/, DocumentDraft& /*draft*/) {
  const auto enabled = entry.required("mig-enabled").boolean();
  const Value devices = entry.at("mig-devices");
  Node content = mapping_node();
  auto instances = decode_instances(devices);
  add_entry(content, "mig", enabled == false ? plain_node("disabled") : std::move(instances));
  return content;
}

}  // namespace

std::optional<Imported> import_mig_parted(const PeerFiles& files) {
  return import_configurations(files, "mig-configs", decode);
}

}  // namespace gpuhost
