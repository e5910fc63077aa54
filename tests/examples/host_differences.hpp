#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "host/sim/host_file.hpp"

namespace gpuhost::testing {

/// Modules that others bring along when they are loaded; they stay when those go, as with rmmod(8).
inline std::set<std::string> brought_along(const HostFile& host) {
  std::set<std::string> names;
  for (const auto& [name, module] : host.modules) names.insert(module.depends.begin(), module.depends.end());
  return names;
}

/// Whether a file is the kernel's or the driver's own: numbers that it gives in the order of events, and what
/// it tells of a GPU that it has bound.
inline bool is_numbered_by_the_kernel(const std::string& path) {
  return path.find("iommu_group") != std::string::npos || path.starts_with("/proc/driver/nvidia/gpus/");
}

/// All of a host that a run may not change unasked, by what it is, as text: "file /etc/modules", "unit
/// cron.service", "domain desk-01", "gpu 0000:41:00.0". Without what gpuhost writes down for itself.
inline std::map<std::string, std::string> parts_of(const HostFile& host) {
  std::map<std::string, std::string> parts;
  const auto along = brought_along(host);
  for (const auto& [path, entry] : host.files) {
    if (path.starts_with("/var/lib/gpuhost") || path.starts_with("/run/") || is_numbered_by_the_kernel(path))
      continue;
    const auto module = path.starts_with("/sys/module/") ? path.substr(12, path.find('/', 12) - 12) : "";
    if (along.contains(module)) continue;
    auto& text = parts["file " + path];
    if (const auto* content = std::get_if<HostFile::Text>(&entry)) text = content->content;
    if (const auto* link = std::get_if<HostFile::Link>(&entry)) text = "-> " + link->target;
  }
  for (const auto& [name, module] : host.modules)
    if (!along.contains(name)) parts["module " + name] = module.loaded ? "loaded" : "not loaded";
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
