#include "host/sim/sim_boot.hpp"

#include <algorithm>

#include <fmt/core.h>

#include "base/pci_address.hpp"
#include "base/sha256.hpp"
#include "base/text.hpp"
#include "base/uuid.hpp"
#include "host/sim/grub_menu.hpp"
#include "host/sim/kernel_words.hpp"
#include "host/sim/loader_config.hpp"
#include "host/sim/sim_device_tree.hpp"
#include "host/sim/sim_modprobe.hpp"

namespace gpuhost {

namespace {

constexpr const char* proc_cmdline = "/proc/cmdline";
constexpr const char* boot_id = "/proc/sys/kernel/random/boot_id";
constexpr const char* iommu_class = "/sys/class/iommu";
constexpr const char* groups_directory = "/sys/kernel/iommu_groups";
constexpr const char* pci_devices = "/sys/bus/pci/devices";

/// The word that the boot loader itself puts first; it stays, as the kernels do.
std::string loader_word(const std::string& running) {
  const auto words = split_kernel_words(running);
  if (words.empty()) return {};
  const bool made_by_loader = words[0].starts_with("BOOT_IMAGE=") || words[0].starts_with("initrd=");
  return made_by_loader ? words[0] + " " : std::string();
}

/// `$name` in a loader entry stands for a variable of GRUB's environment block, which is lines of name=value.
std::string expanded(const std::string& options, const SimFiles& files) {
  const std::string environment = files.text("/boot/grub2/grubenv").value_or("");
  std::vector<std::string> words;
  for (auto& word : split_kernel_words(options)) {
    if (!word.starts_with('$')) {
      words.push_back(std::move(word));
      continue;
    }
    const std::string assignment = word.substr(1) + "=";
    for (const auto line : lines(environment)) {
      if (line.starts_with(assignment)) words.emplace_back(line.substr(assignment.size()));
    }
  }
  return join(words, " ");
}

/// The command line the boot loader gives the kernel; a host without a known loader keeps the one it has.
std::string next_command_line(const HostFile& host, SimFiles& files) {
  const std::string running(trim(files.text(proc_cmdline).value_or("")));
  const bool by_proxmox = !trim(files.text("/etc/kernel/proxmox-boot-uuids").value_or("")).empty();
  if (!by_proxmox) {
    for (const char* directory : {"/boot/grub", "/boot/grub2"}) {
      if (auto line = boot_by_grub(files, directory)) return *line;
    }
  }
  if (const auto entry = take_loader_entry(files); !entry.empty()) {
    const auto options = entry_field(files.text(entry).value_or(""), "options").value_or("");
    return loader_word(running) + expanded(options, files);
  }
  if (by_proxmox && host.machine.esp_command_line)
    return loader_word(running) + *host.machine.esp_command_line;
  return running;
}

/// As random as the old one, and the same in every run.
std::string next_boot_id(std::string_view old) {
  std::string digits = sha256(trim(old)).substr(0, 32);
  digits[12] = '4';  // version and variant of RFC 9562
  digits[16] = '8';
  return fmt::format("{}-{}-{}-{}-{}", digits.substr(0, 8), digits.substr(8, 4), digits.substr(12, 4),
                     digits.substr(16, 4), digits.substr(20));
}

bool any_value_has(const std::string& line, std::string_view key, std::string_view word) {
  return std::ranges::any_of(kernel_values(line, key), [&](const std::string& value) {
    const auto parts = split(value, ',');
    return std::ranges::find(parts, word) != parts.end();
  });
}

bool panics(const HostFile::Machine& machine, const std::string& line) {
  return std::ranges::any_of(split_kernel_words(line), [&](const std::string& word) {
    return std::ranges::find(machine.panics_with, word) != machine.panics_with.end();
  });
}

bool iommu_is_on(const HostFile::Machine& machine, const std::string& line) {
  if (machine.iommu == HostFile::Iommu::none || any_value_has(line, "iommu", "off")) return false;
  if (machine.iommu == HostFile::Iommu::amd) return !any_value_has(line, "amd_iommu", "off");
  bool on = machine.iommu_default_on;
  for (const auto& value : kernel_values(line, "intel_iommu")) {
    for (const auto word : split(value, ',')) {
      if (word == "on") on = true;
      if (word == "off") on = false;
    }
  }
  return on;
}

bool iommu_passes_through(const std::string& line) {
  bool through = false;
  for (const auto& word : split_kernel_words(line)) {
    const auto [key, value] = parse_kernel_word(word);
    if (key == "iommu" && value == "pt") through = true;
    if (key == "iommu" && value == "nopt") through = false;
    if (key == "iommu.passthrough") through = value == "1" || value == "y" || value == "on";
  }
  return through;
}

/// Without knowledge of the board: functions of one slot cannot be told apart, slots can.
std::map<unsigned, std::vector<std::string>> groups_by_slot(const SimFiles& files) {
  std::map<unsigned, std::vector<std::string>> groups;
  std::string last_slot;
  for (const auto& device : files.names(pci_devices)) {
    const std::string slot = device.substr(0, device.find('.'));
    if (slot != last_slot) groups.emplace(static_cast<unsigned>(groups.size()), std::vector<std::string>{});
    groups.rbegin()->second.push_back(device);
    last_slot = slot;
  }
  return groups;
}

/// So that a later boot with the IOMMU on shows what this one showed.
void remember_iommu(HostFile::Machine& machine, const SimFiles& files) {
  if (const auto units = files.names(iommu_class); !units.empty()) machine.iommu_units = units;
  const auto numbers = files.names(groups_directory);
  if (!numbers.empty()) machine.iommu_groups.clear();
  for (const auto& number : numbers) {
    const auto index = parse_unsigned(number);
    if (!index) continue;
    machine.iommu_groups[static_cast<unsigned>(*index)] =
        files.names(fmt::format("{}/{}/devices", groups_directory, number));
  }
}

/// A group without devices, as of a board that was taken out, is none.
void show_group(SimFiles& files, unsigned number, std::vector<std::string> devices, std::string_view type) {
  std::erase_if(devices, [&](const std::string& device) {
    return !files.list(fmt::format("{}/{}", pci_devices, device));
  });
  if (devices.empty()) return;
  const std::string group = fmt::format("{}/{}", groups_directory, number);
  files.put_text(group + "/type", std::string(type) + "\n");
  for (const auto& device : devices) {
    files.put(fmt::format("{}/devices/{}", group, device),
              HostFile::Link{"../../../../bus/pci/devices/" + device});
    const auto directory = files.resolve(fmt::format("{}/{}", pci_devices, device));
    if (directory) files.put(*directory + "/iommu_group", HostFile::Link{sysfs_link(*directory, group)});
  }
}

void set_up_iommu(HostFile& host, SimFiles& files, const std::string& line) {
  auto& machine = host.machine;
  if (machine.iommu == HostFile::Iommu::none) return;
  const bool on = iommu_is_on(machine, line);
  remember_iommu(machine, files);
  files.erase_tree(iommu_class);
  files.erase_tree(groups_directory);
  files.put(iommu_class, HostFile::Directory{});
  files.put(groups_directory, HostFile::Directory{});
  for (const auto& device : files.names(pci_devices)) {
    if (const auto directory = files.resolve(fmt::format("{}/{}", pci_devices, device))) {
      files.erase_tree(*directory + "/iommu_group");
    }
  }
  if (!on) return;
  const char* default_unit = machine.iommu == HostFile::Iommu::intel ? "dmar0" : "ivhd0";
  const auto units =
      machine.iommu_units.empty() ? std::vector<std::string>{default_unit} : machine.iommu_units;
  for (const auto& unit : units) {
    files.put(fmt::format("{}/{}", iommu_class, unit), HostFile::Link{"../../devices/virtual/iommu/" + unit});
  }
  const auto groups = machine.iommu_groups.empty() ? groups_by_slot(files) : machine.iommu_groups;
  for (const auto& [number, devices] : groups) {
    show_group(files, number, devices, iommu_passes_through(line) ? "identity" : "DMA");
  }
  machine.iommu_groups.clear();  // the files show them again
  machine.iommu_units.clear();
}

}  // namespace

Result<void> boot(HostFile& host, SimFiles& files, SimPci& pci, SimModules& modules, SimUnits& units) {
  std::string line = next_command_line(host, files);
  // The kernel panics, and the watchdog starts the host once more.
  if (panics(host.machine, line)) line = next_command_line(host, files);
  if (panics(host.machine, line))
    return fail(ErrorKind::io, "the host does not come up: its kernel panics with " + line);
  files.put_text(proc_cmdline, line + "\n");
  if (const auto old = files.text(boot_id)) files.put_text(boot_id, next_boot_id(*old) + "\n");
  for (const auto& name : files.names("/run")) files.erase_tree("/run/" + name);
  pci.power_off();
  set_up_iommu(host, files, line);
  modules.boot(host.machine.initramfs.value_or(modprobe_text(files)));
  pci.power_on();
  units.boot();
  return {};
}

}  // namespace gpuhost
