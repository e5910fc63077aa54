#include "host/sim/sim_installers.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/core.h>

#include "base/text.hpp"
#include "host/sim/sim_licences.hpp"

namespace gpuhost {

namespace {

constexpr const char* dpkg_status = "/var/lib/dpkg/status";
constexpr const char* uninstaller = "/usr/bin/nvidia-uninstall";
constexpr const char* sriov_tool = "/usr/lib/nvidia/sriov-manage";
constexpr const char* management_tool = "/usr/bin/nvidia-smi";

/// What comes with each flavour, and what its modules rest on where the kernel has it.
struct Contents {
  std::string_view flavor;
  std::vector<std::string> modules;
  std::vector<std::string> units;
  std::vector<std::string> files;
};

const std::array<Contents, 3>& all_contents() {
  static const std::array<Contents, 3> all{
      Contents{"vgpu-manager",
               {"nvidia", "nvidia_vgpu_vfio"},
               {"nvidia-vgpud.service", "nvidia-vgpu-mgr.service"},
               {management_tool, sriov_tool}},
      Contents{"graphics",
               {"nvidia", "nvidia_modeset", "nvidia_drm", "nvidia_uvm"},
               {sim_licence_service},
               {management_tool, sim_licence_daemon}},
      Contents{
          "datacenter", {"nvidia", "nvidia_modeset", "nvidia_drm", "nvidia_uvm"}, {}, {management_tool}}};
  return all;
}

std::vector<std::string> dependencies_of(const std::string& module) {
  if (module == "nvidia_vgpu_vfio") return {"mdev", "nvidia", "vfio"};
  if (module == "nvidia_drm") return {"drm", "nvidia_modeset"};
  return module == "nvidia" ? std::vector<std::string>{} : std::vector<std::string>{"nvidia"};
}

CommandResult failure(std::string output) {
  return {1, std::move(output) + "\n"};
}

std::string index_of(const std::string& kernel) {
  return fmt::format("/lib/modules/{}/modules.dep", kernel);
}

/// Of the driver's module in modules.dep.
bool is_driver_line(std::string_view line) {
  const auto path = line.substr(0, line.find(':'));
  return path.substr(path.rfind('/') + 1).starts_with("nvidia");
}

/// The paragraphs of dpkg's status file, each with the name of its package.
std::string without_packages(const std::string& status, const std::vector<std::string>& names) {
  std::string kept, paragraph;
  bool dropped = false;
  const auto end = [&] {
    if (!dropped && !paragraph.empty()) kept += paragraph + "\n";
    paragraph.clear();
    dropped = false;
  };
  for (const auto line : lines(status)) {
    if (trim(line).empty()) {
      end();
      continue;
    }
    constexpr std::string_view field = "Package:";
    if (line.starts_with(field))
      dropped = std::ranges::find(names, trim(line.substr(field.size()))) != names.end();
    paragraph.append(line).append("\n");
  }
  end();
  return kept;
}

/// The verb and what it is about; options and the values of -o are left out.
std::vector<std::string> words_of(const std::vector<std::string>& arguments) {
  std::vector<std::string> found;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "-o")
      ++i;
    else if (!arguments[i].starts_with('-'))
      found.push_back(arguments[i]);
  }
  return found;
}

}  // namespace

std::string SimInstallers::running_kernel() const {
  return std::string(trim(files_.text("/proc/sys/kernel/osrelease").value_or("")));
}

bool SimInstallers::has_headers(const std::string& kernel) const {
  return files_.exists(fmt::format("/lib/modules/{}/build", kernel)).value_or(false);
}

bool SimInstallers::is_loaded() const {
  return std::ranges::any_of(host_.modules, [](const auto& module) {
    return module.first.starts_with("nvidia") && module.second.loaded;
  });
}

Result<CommandResult> SimInstallers::run_file(const Arguments& arguments) {
  if (arguments.empty()) return failure("sh: the simulator has no interactive shell");
  const auto digest = files_.digest(arguments.front());
  if (!digest) return failure(digest.error().message);
  const auto installer = std::ranges::find(host_.installers, *digest, &Installer::sha256);
  if (installer == host_.installers.end() || !installer->package.empty())
    return failure(fmt::format("sh: the simulator knows no installer with SHA-256 {}", *digest));
  auto done = run(*installer);
  if (done && done->exit_code == 0 && installer->fault != Installer::Fault::does_nothing)
    files_.put_text(uninstaller, "simulated\n");
  return done;
}

CommandResult SimInstallers::uninstall() {
  if (is_loaded()) return failure("ERROR: The NVIDIA kernel module 'nvidia' is in use.");
  take_away();
  return {};
}

Result<CommandResult> SimInstallers::run(const Installer& installer) {
  using Fault = Installer::Fault;
  switch (installer.fault) {
    case Fault::does_nothing:
      return CommandResult{};
    case Fault::fails:
      return failure("ERROR: Installation has failed.");
    case Fault::hangs:
      return fail(ErrorKind::timed_out, "it did not end in time and was ended");
    case Fault::none:
    case Fault::brings_broken_modules:
      break;
  }
  // dpkg would put the files beside a module that is loaded; whoever does that has a host with two versions.
  if (is_loaded())
    return failure("ERROR: An NVIDIA kernel module 'nvidia' appears to be already loaded in your kernel.");
  if (!has_headers(running_kernel()))
    return failure("ERROR: Unable to find the kernel source tree for the currently running kernel.");
  take_away();
  bring(installer);
  return CommandResult{};
}

void SimInstallers::bring(const Installer& installer) {
  const auto* contents = std::ranges::find(all_contents(), installer.flavor, &Contents::flavor);
  for (const auto& name : contents->modules) bring_module(name, installer);
  for (const auto& path : contents->files) files_.put_text(path, "simulated\n");
  for (const auto& unit : contents->units)
    host_.units.try_emplace(
        unit, HostFile::Unit{.state = {"loaded", "inactive", "dead", "enabled"}, .unknown = {}});
  if (const auto status = files_.text(dpkg_status); status && !installer.package.empty())
    files_.put_text(dpkg_status, fmt::format("{}Package: {}\nStatus: install ok installed\nVersion: {}\n\n",
                                             *status, installer.package, installer.version));
  list_for_kernels();
}

void SimInstallers::bring_module(const std::string& name, const Installer& installer) {
  auto& module = host_.modules[name];
  module.file.version = installer.version;
  module.file.signer = installer.signer;
  module.broken = installer.fault == Installer::Fault::brings_broken_modules;
  module.at_boot = name == "nvidia" || name == "nvidia_vgpu_vfio";
  if (name == "nvidia") module.file.parameters = {"NVreg_RegistryDwords", "NVreg_RegistryDwordsPerDevice"};
  for (auto& needed : dependencies_of(name))
    if (host_.modules.contains(needed)) module.depends.push_back(std::move(needed));
}

/// With DKMS for each kernel that has headers, else for the running one.
void SimInstallers::list_for_kernels() {
  const bool dkms = files_.exists("/usr/sbin/dkms").value_or(false);
  for (const auto& kernel : files_.names("/lib/modules")) {
    if (kernel != running_kernel() && (!dkms || !has_headers(kernel))) continue;
    if (const auto index = files_.text(index_of(kernel)))
      files_.put_text(index_of(kernel), *index + "updates/dkms/nvidia.ko:\n");
  }
}

void SimInstallers::take_away() {
  std::erase_if(host_.modules, [](const auto& module) { return module.first.starts_with("nvidia"); });
  for (const auto& contents : all_contents()) {
    for (const auto& unit : contents.units) host_.units.erase(unit);
    for (const auto& path : contents.files) files_.erase_tree(path);
  }
  files_.erase_tree(uninstaller);
  for (const auto& kernel : files_.names("/lib/modules")) {
    const auto index = files_.text(index_of(kernel));
    if (!index) continue;
    std::string kept;
    for (const auto line : lines(*index))
      if (!is_driver_line(line)) kept.append(line).append("\n");
    files_.put_text(index_of(kernel), kept);
  }
  if (const auto status = files_.text(dpkg_status)) {
    std::vector<std::string> names;
    for (const auto& installer : host_.installers) names.push_back(installer.package);
    files_.put_text(dpkg_status, without_packages(*status, names));
  }
}

const SimInstallers::Installer* SimInstallers::find(std::string_view target) const {
  const auto digest = target.starts_with('/') ? files_.digest(std::string(target)) : Result<std::string>("");
  const auto is_meant = [&](const Installer& installer) {
    if (installer.package.empty()) return false;
    if (target.starts_with('/')) return digest && *digest == installer.sha256;
    if (!installer.sha256.empty()) return false;
    return target == fmt::format("{}={}*", installer.package, installer.version) ||  // apt
           target == fmt::format("{}={}", installer.package, installer.version) ||   // zypper
           target == fmt::format("{}-{}", installer.package, installer.version);     // dnf
  };
  const auto found = std::ranges::find_if(host_.installers, is_meant);
  return found == host_.installers.end() ? nullptr : &*found;
}

CommandResult SimInstallers::remove(const Arguments& packages) {
  if (is_loaded()) return failure("the module nvidia is loaded: the simulator removes no driver at work");
  const auto is_driver = [&](const std::string& name) {
    return std::ranges::find(host_.installers, name, &Installer::package) != host_.installers.end();
  };
  if (std::ranges::any_of(packages, is_driver)) take_away();
  if (const auto status = files_.text(dpkg_status))
    files_.put_text(dpkg_status, without_packages(*status, packages));
  return {};
}

Result<CommandResult> SimInstallers::packages(std::string_view tool, const Arguments& arguments) {
  auto words = words_of(arguments);
  if (words.size() < 2) return failure(fmt::format("{}: these arguments are not simulated", tool));
  const auto verb = words.front();
  words.erase(words.begin());
  if (verb == "remove") return remove(words);
  if (verb != "install" || words.size() != 1)
    return failure(fmt::format("{}: the simulator cannot '{}' so", tool, verb));
  const auto* installer = find(words.front());
  if (installer == nullptr) return failure(fmt::format("E: Unable to locate package {}", words.front()));
  return run(*installer);
}

}  // namespace gpuhost
