#pragma once

#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "host/sim/host_file.hpp"

namespace gpuhost::testing {

/// All of a host that a run may not change unasked, by what it is, as text: "file /etc/modules", "unit
/// cron.service", "domain desk-01", "gpu 0000:41:00.0". Without what gpuhost writes down for itself.
inline std::map<std::string, std::string> parts_of(const HostFile& host) {
  std::map<std::string, std::string> parts;
  for (const auto& [path, entry] : host.files) {
    if (path.starts_with("/var/lib/gpuhost") || path.starts_with("/run/")) continue;
    auto& text = parts["file " + path];
    if (const auto* content = std::get_if<HostFile::Text>(&entry)) text = content->content;
    if (const auto* link = std::get_if<HostFile::Link>(&entry)) text = "-> " + link->target;
  }
  for (const auto& [name, module] : host.modules)
    parts["module " + name] = module.loaded ? "loaded" : "not loaded";
  for (const auto& [name, unit] : host.units)
    parts["unit " + name] = unit.state.active_state + " " + unit.state.unit_file_state;
  for (const auto& [uri, connection] : host.domains)
    for (const auto& [name, domain] : connection.domains)
      parts["domain " + name] = fmt::format("{} {} {}\n{}\n{}", domain.running ? "running" : "off",
                                            domain.saved ? "saved" : "", domain.autostart ? "autostart" : "",
                                            domain.definition, domain.live.value_or("as defined"));
  for (const auto& [address, gpu] : host.machine.gpus) {
    auto& text = parts["gpu " + address.to_string()];
    const auto add_switch = [&](const char* name, const GpuSwitch& state) {
      text += fmt::format("{} {} {}\n", name, state.current, state.pending);
    };
    add_switch("mig", gpu.mig.mode);
    if (gpu.ecc) add_switch("ecc", *gpu.ecc);
    for (const auto& instance : gpu.mig.instances) {
      text += fmt::format("profile {} at {}:", instance.profile, instance.placement.start);
      for (const auto& compute : instance.compute_instances)
        text += fmt::format(" {}+{}", compute.placement.start, compute.placement.size);
      text += "\n";
    }
  }
  return parts;
}

/// What is not the same in both: "domain desk-01: WAS, now IS".
inline std::vector<std::string> differences(const HostFile& before, const HostFile& after) {
  const auto was = parts_of(before);
  const auto is = parts_of(after);
  std::vector<std::string> found;
  for (const auto& [part, text] : was) {
    const auto now = is.find(part);
    if (now == is.end())
      found.push_back(fmt::format("{}: gone", part));
    else if (now->second != text)
      found.push_back(fmt::format("{}: {}, now {}", part, text, now->second));
  }
  for (const auto& [part, text] : is)
    if (!was.contains(part)) found.push_back(fmt::format("{}: new, {}", part, text));
  return found;
}

}  // namespace gpuhost::testing
