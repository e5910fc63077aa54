#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <fmt/ranges.h>

#include "base/text.hpp"
#include "host/sim/host_file.hpp"

namespace gpuhost::testing {

/// What the kernel and drivers number in the order in which things come up, or derive from the rest, and what
/// gpuhost writes down for itself.
inline bool is_derived(const std::string& path) {
  constexpr std::array folders{"/dev/",        "/proc/",           "/run/", "/sys/kernel/iommu_groups/",
                               "/sys/module/", "/var/lib/gpuhost/"};
  return path.ends_with("/iommu_group") ||
         std::ranges::any_of(folders, [&](const char* folder) { return path.starts_with(folder); });
}

/// The lines of a definition, sorted: libvirt writes devices of one sort together, so that the place of one
/// among others means nothing.
inline std::string lines_of(const std::string& definition) {
  auto all = lines(definition);
  std::ranges::sort(all);
  return fmt::format("{}", fmt::join(all, "\n"));
}

/// All of a host that a run may not change unasked, by what it is, as text: "file /etc/modules", "unit
/// cron.service", "domain desk-01", "gpu 0000:41:00.0". Modules that others need are left out: they come with
/// those, and stay.
inline std::map<std::string, std::string> parts_of(const HostFile& host) {
  std::map<std::string, std::string> parts;
  for (const auto& [path, entry] : host.files) {
    if (is_derived(path)) continue;
    if (const auto* content = std::get_if<HostFile::Text>(&entry)) parts["file " + path] = content->content;
    if (const auto* link = std::get_if<HostFile::Link>(&entry)) parts["file " + path] = "-> " + link->target;
  }
  std::set<std::string> needed;
  for (const auto& [name, module] : host.modules) needed.insert(module.depends.begin(), module.depends.end());
  for (const auto& [name, module] : host.modules)
    if (!needed.contains(name)) parts["module " + name] = module.loaded ? "loaded" : "not loaded";
  for (const auto& [name, unit] : host.units)
    parts["unit " + name] = unit.state.active_state + " " + unit.state.unit_file_state;
  for (const auto& [uri, connection] : host.domains)
    for (const auto& [name, domain] : connection.domains)
      parts["domain " + name] =
          fmt::format("{} {} {}\n{}", domain.running ? "running" : "off", domain.saved ? "saved" : "",
                      domain.autostart ? "autostart" : "", lines_of(domain.definition));
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
