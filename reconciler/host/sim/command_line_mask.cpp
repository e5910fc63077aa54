#include "host/sim/command_line_mask.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "base/json.hpp"
#include "base/text.hpp"
#include "host/sim/kernel_words.hpp"

namespace gpuhost {

namespace {

constexpr std::string_view mask = "<masked>";

/// Keys whose values say how the kernel works and nothing about people, networks or credentials.
/// Source: the kernel's kernel-parameters.txt, dracut.cmdline(7), kernel-command-line(7).
constexpr std::array harmless_keys = std::to_array<std::string_view>({
    "BOOT_IMAGE",
    "acpi",
    "amd_iommu",
    "amd_iommu_intr",
    "amd_pstate",
    "apparmor",
    "audit",
    "biosdevname",
    "boot",
    "clocksource",
    "console",
    "consoleblank",
    "crashkernel",
    "default_hugepagesz",
    "earlyprintk",
    "efi",
    "elevator",
    "fbcon",
    "hugepages",
    "hugepagesz",
    "idle",
    "init_on_alloc",
    "initrd",
    "intel_idle.max_cstate",
    "intel_iommu",
    "intel_pstate",
    "intremap",
    "iomem",
    "iommu",
    "isolcpus",
    "kvm_amd",
    "kvm_intel",
    "lockdown",
    "loglevel",
    "lsm",
    "maxcpus",
    "mce",
    "mem",
    "mitigations",
    "modprobe.blacklist",
    "module_blacklist",
    "net.ifnames",
    "nohz",
    "nohz_full",
    "nosmt",
    "nouveau",
    "numa_balancing",
    "panic",
    "pci",
    "pcie_acs_override",
    "pcie_aspm",
    "pcie_port_pm",
    "plymouth.ignore_serial_consoles",
    "processor.max_cstate",
    "quiet",
    "rcu_nocbs",
    "rd.auto",
    "rd.blacklist",
    "rd.driver.blacklist",
    "rd.driver.pre",
    "rd.lvm",
    "rd.lvm.lv",
    "rd.lvm.vg",
    "rd.luks.uuid",
    "rd.md.uuid",
    "rd.plymouth",
    "rdblacklist",
    "resume",
    "resume_offset",
    "rhgb",
    "root",
    "rootdelay",
    "rootflags",
    "rootfstype",
    "security",
    "selinux",
    "skew_tick",
    "splash",
    "swiotlb",
    "systemd.unified_cgroup_hierarchy",
    "systemd.unit",
    "transparent_hugepage",
    "tsc",
    "vga",
    "video",
    "vt.handoff",
    "zswap.enabled",
});

/// Parameters of modules are `MODULE.PARAMETER`; these modules have none that is secret.
constexpr std::array harmless_modules = std::to_array<std::string_view>({
    "amdgpu",
    "ast",
    "drm",
    "i915",
    "iommu",
    "kvm",
    "kvm_amd",
    "kvm_intel",
    "mgag200",
    "nouveau",
    "nvidia",
    "nvidia_drm",
    "nvidia_modeset",
    "nvidia_uvm",
    "nvidia_vgpu_vfio",
    "nvme_core",
    "pcie_ports",
    "radeon",
    "vfio",
    "vfio_iommu_type1",
    "vfio_pci",
    "zfs",
});

bool is_harmless(std::string_view key) {
  const auto same = [](std::string_view name) {
    return [name = underscored(name)](std::string_view known) { return underscored(known) == name; };
  };
  const auto dot = key.find('.');
  return std::ranges::any_of(harmless_keys, same(key)) ||
         (dot != std::string_view::npos && std::ranges::any_of(harmless_modules, same(key.substr(0, dot))));
}

std::string masked_word(std::string_view word) {
  const bool quoted = word.starts_with('"');
  const auto equals = word.find('=');
  if (equals == std::string_view::npos) return std::string(word);
  const auto key = word.substr(quoted ? 1 : 0, equals - (quoted ? 1 : 0));
  if (is_harmless(key)) return std::string(word);
  return std::string(word.substr(0, equals + 1)).append(mask).append(quoted ? "\"" : "");
}

std::string each_line(std::string_view text, std::optional<std::string> (*keep)(std::string_view line)) {
  std::string kept;
  for (const auto line : lines(text)) {
    if (const auto changed = keep(line)) kept.append(*changed).append("\n");
  }
  return kept;
}

/// `NAME="command line"` with or without quotes. What follows a closing quote is dropped.
std::string masked_assignment(std::string_view line) {
  const auto equals = line.find('=');
  std::string_view value = line.substr(equals + 1);
  const char quote = value.empty() || (value[0] != '"' && value[0] != '\'') ? '\0' : value[0];
  if (quote != '\0') value = value.substr(1, value.rfind(quote) - 1);
  const std::string masked = masked_command_line(value);
  if (quote == '\0' && masked == value) return std::string(line);
  const char with = quote == '\0' ? '"' : quote;
  return std::string(line.substr(0, equals + 1)).append(1, with).append(masked).append(1, with);
}

/// Of the files that grub-mkconfig sources: the assignments that make kernel command lines. What is no
/// assignment at all stays as a line that is none either, since it may do anything.
std::optional<std::string> grub_default_line(std::string_view line) {
  const auto statement = trim(line);
  if (statement.empty() || statement.starts_with('#')) return std::nullopt;
  const auto equals = statement.find('=');
  const auto name = statement.substr(0, equals);
  const bool assigns =
      equals != std::string_view::npos && name.find_first_of(" \t\"'`$(") == std::string_view::npos;
  if (!assigns) return ": not recorded";
  if (name.starts_with("GRUB_CMDLINE_LINUX")) return masked_assignment(statement);
  return std::nullopt;
}

/// gpuhost's own drop-in has the words behind `# key: ` and in its last assignments; the rest are keys only.
std::optional<std::string> own_drop_in_line(std::string_view line) {
  constexpr std::string_view key_mark = "# key: ";
  if (line.starts_with(key_mark)) {
    return std::string(key_mark) + masked_command_line(line.substr(key_mark.size()));
  }
  return line.starts_with("GRUB_CMDLINE_LINUX") ? masked_assignment(line) : std::string(line);
}

/// Of grub.cfg: the menu and its kernels. Passwords and everything else are left out.
std::string grub_menu(std::string_view text) {
  std::string kept;
  int open = 0;
  for (const auto line : lines(text)) {
    const auto parts = words(line);
    if (parts.empty()) continue;
    const auto word = parts[0];
    if (word == "menuentry" || word == "submenu") {
      ++open;
    } else if (word == "}" && open > 0) {
      --open;
    } else if (!word.starts_with("linux") && !word.starts_with("initrd") && word != "blscfg" &&
               !line.contains("/custom.cfg")) {
      continue;
    }
    kept.append(word.starts_with("linux") ? masked_command_line(line) : std::string(line)).append("\n");
  }
  return kept;
}

/// Of custom.cfg the lines of gpuhost: the rest is the administrator's, and none that planning goes by.
std::string own_custom_lines(std::string_view text) {
  std::string kept;
  bool ours = false;
  for (const auto line : lines(text)) {
    ours |= line.starts_with("# gpuhost: begin");
    if (ours) kept.append(trim(line).starts_with("linux") ? masked_command_line(line) : line).append("\n");
    if (line == "# gpuhost: end") ours = false;
  }
  return kept;
}

/// Of the mounted file systems that of the boot loader's files: others may name servers and users.
std::string boot_mounts(std::string_view mountinfo) {
  std::string kept;
  for (const auto line : lines(mountinfo)) {
    const auto fields = words(line);
    if (fields.size() > 4 && (fields[4] == "/" || fields[4].starts_with("/boot")))
      kept.append(line).append("\n");
  }
  return kept;
}

std::optional<std::string> loader_entry_line(std::string_view line) {
  constexpr std::array kept = {"title", "version", "linux", "initrd", "machine-id", "sort-key", "id"};
  const auto parts = words(line);
  if (parts.empty()) return std::nullopt;
  if (parts[0] == "options") return masked_command_line(line);
  return std::ranges::find(kept, parts[0]) == kept.end() ? std::nullopt : std::optional(std::string(line));
}

std::optional<std::string> grub_environment_line(std::string_view line) {
  if (line.starts_with("kernelopts=")) return "kernelopts=" + masked_command_line(line.substr(11));
  return line.starts_with("saved_entry=") || line.starts_with("gpuhost_try=")
             ? std::optional(std::string(line))
             : std::nullopt;
}

/// All values of one processor are those of the others, as far as gpuhost asks.
std::string first_processor(const std::string& text) {
  const auto end = text.find("\n\n");
  return end == std::string::npos ? text : text.substr(0, end + 2);
}

/// Masks every string under `value`.
void mask_strings(Json& value) {
  if (value.is_string()) value = std::string(mask);
  if (value.is_structured()) {
    for (auto& inner : value) mask_strings(inner);
  }
}

/// gpuhost's records of kernel parameters: addresses `kernel.parameters[KEY]`, and remembered command lines.
void mask_parameters(Json& value) {
  if (!value.is_structured()) return;
  constexpr std::string_view address = "kernel.parameters[";
  for (auto& [name, inner] : value.items()) {
    if (value.is_object() && name == "command_line" && inner.is_string()) {
      inner = masked_command_line(inner.get<std::string>());
    } else if (value.is_object() && name.starts_with(address) && name.ends_with(']') &&
               !is_harmless(
                   std::string_view(name).substr(address.size(), name.size() - address.size() - 1))) {
      mask_strings(inner);
    } else {
      mask_parameters(inner);
    }
  }
}

std::string masked_record(const std::string& text) {
  auto json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return text;
  const Json before = json;
  mask_parameters(json);
  return json == before ? text : json.dump(2) + "\n";
}

/// Of the modules of a kernel NVIDIA's: the others say nothing of drivers.
std::string nvidia_modules(std::string_view index) {
  std::string kept;
  for (const auto line : lines(index))
    if (line.substr(0, line.find(':')).contains("/nvidia")) kept.append(line).append("\n");
  return kept;
}

/// Of the licence daemon's configuration what gpuhost sets: the rest may name a proxy and its user.
std::optional<std::string> licence_line(std::string_view line) {
  constexpr std::array kept = {"ServerAddress", "ServerPort", "FeatureType", "ClientConfigTokenPath"};
  const auto key = trim(line.substr(0, line.find('=')));
  return std::ranges::find(kept, key) == kept.end() ? std::nullopt : std::optional(std::string(line));
}

/// Of dpkg's status the paragraphs of NVIDIA's packages: the rest says nothing of drivers.
std::string nvidia_packages(std::string_view status) {
  std::string kept;
  while (!status.empty()) {
    const auto end = status.find("\n\n");
    const auto paragraph = status.substr(0, end);
    const auto name = paragraph.substr(0, paragraph.find('\n'));
    if (name.starts_with("Package:") && name.contains("nvidia")) kept.append(paragraph).append("\n\n");
    status.remove_prefix(end == std::string_view::npos ? status.size() : end + 2);
  }
  return kept;
}

}  // namespace

std::string masked_command_line(std::string_view line) {
  std::string masked;
  std::size_t at = 0;
  for (const auto& word : split_kernel_words(line)) {
    const auto start = line.find(word, at);
    masked.append(line.substr(at, start - at)).append(masked_word(word));
    at = start + word.size();
  }
  return masked.append(line.substr(at));
}

std::string recordable(const std::string& path, const std::string& content) {
  const auto in = [&](std::string_view directory) { return path.find(directory) != std::string::npos; };
  const auto is = [&](std::string_view name) { return path.ends_with(name); };
  if (path == "/proc/cmdline" || is("/kernel/cmdline")) return masked_command_line(content);
  if (is("/grub.d/zz-gpuhost.cfg")) return each_line(content, own_drop_in_line);
  if (is("/default/grub") || in("/default/grub.d/")) return each_line(content, grub_default_line);
  if (is("/grub.cfg")) return grub_menu(content);
  if (is("/custom.cfg")) return own_custom_lines(content);
  if (path == "/proc/self/mountinfo") return boot_mounts(content);
  if (in("/loader/entries/")) return each_line(content, loader_entry_line);
  if (is("/grubenv")) return each_line(content, grub_environment_line);
  if (path == "/proc/cpuinfo") return first_processor(content);
  if (is("/modules.dep")) return nvidia_modules(content);
  if (path == "/etc/nvidia/gridd.conf") return each_line(content, licence_line);
  if (path == "/var/lib/dpkg/status") return nvidia_packages(content);
  if (in("/var/lib/gpuhost/") && is(".json")) return masked_record(content);
  return content;
}

}  // namespace gpuhost
