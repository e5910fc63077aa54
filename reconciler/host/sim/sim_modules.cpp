#include "host/sim/sim_modules.hpp"

#include <algorithm>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/text.hpp"
#include "host/sim/kernel_words.hpp"

namespace gpuhost {

namespace {

std::string directory_of(const std::string& module) {
  return "/sys/module/" + module;
}

/// The running kernel refuses these whoever asks. Source: module_blacklist in kernel-parameters.txt.
bool refused_by_kernel(const std::string& command_line, const std::string& module) {
  for (const auto& list : kernel_values(command_line, "module_blacklist")) {
    if (std::ranges::any_of(split(list, ','), [&](auto name) { return underscored(name) == module; }))
      return true;
  }
  return false;
}

/// Host files list no signers of the kernel's own modules, which always have one.
bool is_unsigned_driver(const std::string& name, const HostFile::Module& module) {
  return name.starts_with("nvidia") && module.file.signer.empty();
}

/// One line of /proc/modules: name, size, use count, users, state, address.
std::string proc_line(const std::string& name, std::string_view size, const LoadedModule& module) {
  std::string users;
  for (const auto& user : module.users) users += user + ",";
  return fmt::format("{} {} {} {} Live 0x0000000000000000\n", name, size, module.use_count,
                     users.empty() ? "-" : users);
}

}  // namespace

Result<std::map<std::string, LoadedModule>> SimModules::loaded() const {
  if (host_.modules_unknown) return std::unexpected(*host_.modules_unknown);
  std::map<std::string, LoadedModule> found;
  for (const auto& [name, module] : host_.modules) {
    if (module.loaded) found.emplace(name, *module.loaded);
  }
  return found;
}

Result<ModuleFile> SimModules::available(const std::string& name) const {
  const auto found = host_.modules.find(underscored(name));
  if (found != host_.modules.end()) {
    if (found->second.unknown) return std::unexpected(*found->second.unknown);
    return found->second.file;
  }
  if (host_.modules_unknown) return std::unexpected(*host_.modules_unknown);
  return fail(ErrorKind::not_found, fmt::format("the kernel has no module {}", name));
}

Result<void> SimModules::load(const std::string& name) {
  if (host_.modules_unknown) return std::unexpected(*host_.modules_unknown);
  std::set<std::string> underway;
  return load_with_dependencies(underscored(name), configuration(), underway);
}

Result<void> SimModules::load_again(const std::string& name) {
  if (host_.modules_unknown) return std::unexpected(*host_.modules_unknown);
  auto config = configuration();
  config.install.erase(underscored(name));
  std::set<std::string> underway;
  return load_with_dependencies(underscored(name), config, underway);
}

Result<void> SimModules::load_with_dependencies(const std::string& name, const SimModprobe& config,
                                                std::set<std::string>& underway) {
  const auto found = host_.modules.find(name);
  if (found == host_.modules.end() || found->second.unknown) {
    return fail(ErrorKind::not_found,
                fmt::format("cannot load module {}: the kernel has no such module", name));
  }
  auto& module = found->second;
  if (module.loaded || module.file.builtin || !underway.insert(name).second) return {};
  if (const auto command = config.install.find(name); command != config.install.end()) {
    return fail(ErrorKind::io, fmt::format("cannot load module {}: modprobe.d runs '{}' in its place", name,
                                           command->second));
  }
  if (refused_by_kernel(command_line(), name)) {
    return fail(ErrorKind::denied, fmt::format("cannot load module {}: module_blacklist names it", name));
  }
  if (module.broken) {
    return fail(ErrorKind::io, fmt::format("cannot load module {}: Exec format error", name),
                "see the kernel log");
  }
  if (is_unsigned_driver(name, module) && secure_boot()) {
    return fail(ErrorKind::denied, fmt::format("cannot load module {}: Key was rejected by service", name));
  }
  load_all(config.loaded_before, name, config, underway);
  for (const auto& needed : module.depends) {
    auto loaded = load_with_dependencies(underscored(needed), config, underway);
    if (!loaded)
      return std::unexpected(std::move(loaded).error().within(fmt::format("cannot load module {}", name)));
  }
  module.loaded = LoadedModule{};
  for (const auto& needed : module.depends) {
    auto& dependency = host_.modules.at(underscored(needed)).loaded;
    if (!dependency) continue;
    ++dependency->use_count;
    dependency->users.push_back(name);
    std::ranges::sort(dependency->users);
  }
  publish(name, module, config);
  events_.loaded(name, config);
  load_all(config.loaded_after, name, config, underway);
  return {};
}

/// Soft dependencies that do not load are no reason not to go on. Source: modprobe.d(5).
void SimModules::load_all(const std::map<std::string, std::vector<std::string>>& softdeps,
                          const std::string& of, const SimModprobe& config, std::set<std::string>& underway) {
  const auto named = softdeps.find(of);
  if (named == softdeps.end()) return;
  for (const auto& module : named->second) {
    static_cast<void>(load_with_dependencies(module, config, underway));
  }
}

Result<void> SimModules::unload(const std::string& name) {
  if (host_.modules_unknown) return std::unexpected(*host_.modules_unknown);
  const auto found = host_.modules.find(underscored(name));
  if (found == host_.modules.end()) return {};
  auto& [real_name, module] = *found;
  if (module.file.builtin) {
    return fail(ErrorKind::unsupported,
                fmt::format("cannot unload module {}: it is built into the kernel", name));
  }
  if (!module.loaded) return {};
  if (!module.loaded->users.empty()) {
    return fail(ErrorKind::busy, fmt::format("cannot unload module {}: used by {}", name,
                                             fmt::join(module.loaded->users, ", ")));
  }
  if (module.loaded->use_count > 0) {
    return fail(ErrorKind::busy, fmt::format("cannot unload module {}: in use ({} references)", name,
                                             module.loaded->use_count));
  }
  if (const auto uses = events_.uses(real_name); uses > 0) {
    return fail(ErrorKind::busy,
                fmt::format("cannot unload module {}: {} of its devices are in use", real_name, uses));
  }
  events_.unloaded(real_name);
  module.loaded.reset();
  for (auto& [other, dependency] : host_.modules) {
    if (dependency.loaded && std::erase(dependency.loaded->users, real_name) > 0)
      --dependency.loaded->use_count;
  }
  files_.erase_tree(directory_of(real_name));
  publish_use_counts();
  return {};
}

void SimModules::boot(const std::string& initramfs) {
  std::map<std::string, unsigned>
      held;  // by file systems, devices and the like, which come back with the host
  for (auto& [name, module] : host_.modules) {
    if (!module.loaded) continue;
    if (module.at_boot)
      held[name] = module.loaded->use_count - static_cast<unsigned>(module.loaded->users.size());
    module.loaded.reset();
    files_.erase_tree(directory_of(name));
  }
  const auto config = configuration();
  const auto early = parse_modprobe(initramfs, command_line());
  for (const auto& [name, module] : host_.modules) {
    if (!module.file.builtin) continue;
    publish_parameters(name, module, config);
    events_.loaded(name, config);
  }
  const auto try_to_load = [&](const std::string& name, const SimModprobe& by) {
    std::set<std::string> underway;
    // As at a real boot, a module that does not load is no reason not to go on.
    static_cast<void>(load_with_dependencies(name, by, underway));
  };
  for (const auto& [name, module] : host_.modules) {
    if (!module.at_boot) continue;
    if (!early.blocks(name)) try_to_load(name, early);
    if (!config.blocks(name)) try_to_load(name, config);
  }
  for (const auto& name : named_by_modules_load()) {
    // systemd-modules-load heeds the blacklist, unlike modprobe (KMOD_PROBE_APPLY_BLACKLIST in its
    // module-util.c).
    if (!config.is_blacklisted(name)) try_to_load(name, config);
  }
  for (const auto& [name, uses] : held) {
    if (auto& loaded = host_.modules[name].loaded) loaded->use_count += uses;
  }
  publish_use_counts();
}

/// The byte behind the four of the variable's attributes. Source: UEFI specification, "Globally Defined
/// Variables".
bool SimModules::secure_boot() const {
  const auto variable =
      files_.text("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c");
  return variable && variable->size() == 5 && variable->back() == '\1';
}

std::vector<std::string> SimModules::named_by_modules_load() const {
  std::map<std::string, std::string> chosen;  // file name → path; /etc hides /usr/lib
  for (const std::string directory :
       {"/etc/modules-load.d", "/run/modules-load.d", "/usr/lib/modules-load.d"}) {
    for (const auto& name : files_.names(directory)) {
      if (name.ends_with(".conf")) chosen.emplace(name, directory + "/" + name);
    }
  }
  std::vector<std::string> texts;
  for (const auto& [name, path] : chosen) texts.push_back(files_.text(path).value_or(""));
  if (!chosen.contains("modules.conf")) texts.push_back(files_.text("/etc/modules").value_or(""));
  std::vector<std::string> names;
  for (const auto& text : texts) {
    for (const auto line : lines(text)) {
      const auto parts = words(line);
      if (!parts.empty() && !parts[0].starts_with('#') && !parts[0].starts_with(';')) {
        names.push_back(underscored(parts[0]));
      }
    }
  }
  return names;
}

void SimModules::publish(const std::string& name, const HostFile::Module& module, const SimModprobe& config) {
  const std::string directory = directory_of(name);
  files_.put_text(directory + "/refcnt", "0\n");
  if (!module.file.version.empty()) files_.put_text(directory + "/version", module.file.version + "\n");
  publish_parameters(name, module, config);
  publish_use_counts();
}

void SimModules::publish_parameters(const std::string& name, const HostFile::Module& module,
                                    const SimModprobe& config) {
  auto values = module.defaults;
  if (const auto options = config.options.find(name); options != config.options.end()) {
    for (const auto& option : options->second) {
      if (std::ranges::find(module.file.parameters, option.name) != module.file.parameters.end()) {
        values[option.name] = option.value;
      }
    }
  }
  for (const auto& [parameter, value] : values) {
    files_.put_text(directory_of(name) + "/parameters/" + parameter, value + "\n");
  }
}

void SimModules::publish_use_counts() {
  for (const auto& [name, module] : host_.modules) {
    const std::string path = directory_of(name) + "/refcnt";
    if (module.loaded && files_.text(path))
      files_.put_text(path, fmt::format("{}\n", module.loaded->use_count));
  }
  const auto shown = files_.text("/proc/modules");
  if (!shown) return;
  std::string text;
  std::set<std::string> listed;
  for (const auto line : lines(*shown)) {
    const auto parts = words(line);
    if (parts.size() < 2) continue;
    const std::string name(parts[0]);
    listed.insert(name);
    const auto known = host_.modules.find(name);
    if (known == host_.modules.end()) {
      text.append(line).append("\n");
    } else if (known->second.loaded) {
      text += proc_line(name, parts[1], *known->second.loaded);
    }
  }
  for (const auto& [name, module] : host_.modules) {
    if (module.loaded && !listed.contains(name)) text = proc_line(name, "16384", *module.loaded) + text;
  }
  files_.put_text("/proc/modules", text);
}

}  // namespace gpuhost
