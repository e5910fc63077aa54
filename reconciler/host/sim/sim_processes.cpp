#include "host/sim/sim_processes.hpp"

#include <algorithm>
#include <set>

#include <fmt/core.h>

#include "base/text.hpp"
#include "host/sim/sim_guests.hpp"

namespace gpuhost {

namespace {

constexpr int first_guest_pid = 20'000;
constexpr const char* nvidia_gpus = "/proc/driver/nvidia/gpus";

/// The service in whose control group the process is; empty: none.
std::string_view unit_of(std::string_view cgroup) {
  constexpr std::string_view slice = "/system.slice/";
  if (!cgroup.starts_with(slice)) return {};
  for (const auto part : split(cgroup.substr(slice.size()), '/')) {
    if (!part.ends_with(".slice")) return part;
  }
  return {};
}

/// A unit that the host file does not list cannot be stopped.
bool lives(const HostFile& host, const HostFile::Process& process) {
  const auto unit = host.units.find(std::string(unit_of(process.cgroup)));
  if (unit == host.units.end() || unit->second.unknown) return true;
  const auto& state = unit->second.state.active_state;
  return state != "inactive" && state != "failed";
}

/// /dev/nvidiaN of the GPUs that NVIDIA's driver has: no other can be open.
std::set<std::string> nvidia_nodes(const SimFiles& files) {
  std::set<std::string> nodes;
  for (const auto& gpu : files.names(nvidia_gpus)) {
    const auto information = files.text(fmt::format("{}/{}/information", nvidia_gpus, gpu)).value_or("");
    for (const auto line : lines(information)) {
      const auto colon = line.find(':');
      if (colon == std::string_view::npos || trim(line.substr(0, colon)) != "Device Minor") continue;
      nodes.insert(fmt::format("/dev/nvidia{}", trim(line.substr(colon + 1))));
    }
  }
  return nodes;
}

bool is_nvidia_gpu_node(std::string_view device) {
  constexpr std::string_view start = "/dev/nvidia";
  if (!device.starts_with(start) || device.size() == start.size()) return false;
  return device.find_first_not_of("0123456789", start.size()) == std::string_view::npos;
}

void add_groups(const SimGuest& guest, const SimFiles& files, std::vector<std::string>& devices) {
  for (const auto& device : guest_devices(*guest.domain)) {
    if (const auto group = iommu_group(files, device.device)) devices.push_back("/dev/vfio/" + *group);
  }
}

void sort_each_once(std::vector<std::string>& devices) {
  std::ranges::sort(devices);
  const auto twice = std::ranges::unique(devices);
  devices.erase(twice.begin(), twice.end());
}

std::vector<Process> listed_processes(const HostFile& host, const SimFiles& files) {
  const auto present = nvidia_nodes(files);
  std::vector<Process> listed;
  for (const auto& [pid, process] : host.processes) {
    if (!lives(host, process)) continue;
    auto devices = process.opens;
    std::erase_if(devices, [&](const std::string& device) {
      return is_nvidia_gpu_node(device) && !present.contains(device);
    });
    listed.push_back({pid, process.name, process.cgroup, std::move(devices)});
  }
  return listed;
}

int free_pid(const HostFile& host, const std::vector<Process>& processes, unsigned guest) {
  int pid = first_guest_pid + static_cast<int>(guest);
  while (host.processes.contains(pid) ||
         std::ranges::find(processes, pid, &Process::pid) != processes.end()) {
    ++pid;
  }
  return pid;
}

}  // namespace

std::vector<Process> running_processes(const HostFile& host, const SimFiles& files) {
  auto processes = listed_processes(host, files);
  for (const auto& guest : running_guests(host)) {
    const auto own = std::ranges::find_if(
        processes, [&](const Process& process) { return is_cgroup_of_guest(process.cgroup, guest.name); });
    if (own != processes.end()) {
      add_groups(guest, files, own->devices);
      continue;
    }
    processes.push_back(
        {free_pid(host, processes, guest.id), "qemu-system-x86", guest_cgroup(guest.id, guest.name), {}});
    add_groups(guest, files, processes.back().devices);
  }
  for (auto& process : processes) sort_each_once(process.devices);
  std::erase_if(processes, [](const Process& process) { return process.devices.empty(); });
  std::ranges::sort(processes, {}, &Process::pid);
  return processes;
}

std::vector<Process> users_of(const HostFile& host, const SimFiles& files, const std::string& device) {
  auto processes = running_processes(host, files);
  std::erase_if(processes,
                [&](const Process& process) { return !std::ranges::binary_search(process.devices, device); });
  return processes;
}

void end_guest_processes(HostFile& host, const std::string& domain) {
  std::erase_if(host.processes,
                [&](const auto& entry) { return is_cgroup_of_guest(entry.second.cgroup, domain); });
}

void close_vfio_group(HostFile& host, const std::string& domain, const std::string& group) {
  for (auto& [pid, process] : host.processes) {
    if (is_cgroup_of_guest(process.cgroup, domain)) std::erase(process.opens, "/dev/vfio/" + group);
  }
}

void forget_processes(HostFile& host) {
  std::erase_if(host.processes, [](const auto& entry) { return unit_of(entry.second.cgroup).empty(); });
}

}  // namespace gpuhost
