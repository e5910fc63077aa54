#include <algorithm>

#include <fmt/format.h>

#include "kinds/kernel_modules/kind.hpp"
#include "kinds/kernel_modules/steps.hpp"

namespace gpuhost {

namespace {

std::string module_of(const StepAction& action) {
  return action.arguments.value("module", std::string{});
}

Result<bool> is_loaded(const std::string& module, const ModuleReader& modules) {
  const auto file = modules.available(module);
  if (file && file->builtin) return true;
  const auto loaded = modules.loaded();
  if (!loaded) return std::unexpected(loaded.error());
  return loaded->contains(module);
}

Result<bool> is_configured(const std::string& module, const OwnModprobeFile::Entry& wanted,
                           const FileReader& files) {
  const auto own = OwnModprobeFile::read(files);
  if (!own) return std::unexpected(own.error());
  return own->of(module) == wanted && (own->intact() || wanted.empty());
}

Result<bool> is_listed(const std::string& module, const FileReader& files) {
  const auto list = OwnBootList::read(files);
  if (!list) return std::unexpected(list.error());
  return list->contains(module);
}

Result<void> configure(const std::string& module, const OwnModprobeFile::Entry& entry, Host& host) {
  auto own = OwnModprobeFile::read(host.view.files);
  if (!own) return std::unexpected(own.error());
  own->set(module, entry);
  return own->write(host.files);
}

Result<void> list(const std::string& module, bool listed, Host& host) {
  auto own = OwnBootList::read(host.view.files);
  if (!own) return std::unexpected(own.error());
  own->set(module, listed);
  return own->write(host.files);
}

/// A module's lines in both files.
struct Lines {
  OwnModprobeFile::Entry entry;
  bool listed = false;
};

/// Of a step that gives a module back, or brings back what was given back.
Lines lines_of(const StepAction& action) {
  if (action.verb == module_verb::give_back) return {};
  return {entry_from(action.arguments), action.arguments.value("listed", false)};
}

Result<bool> has_lines(const std::string& module, const Lines& wanted, const FileReader& files) {
  const auto configured = is_configured(module, wanted.entry, files);
  if (!configured || !*configured) return configured;
  const auto listed = is_listed(module, files);
  if (!listed) return listed;
  return *listed == wanted.listed;
}

Result<void> set_lines(const std::string& module, const Lines& wanted, Host& host) {
  if (auto done = configure(module, wanted.entry, host); !done) return done;
  const auto listed = is_listed(module, host.view.files);
  if (!listed) return std::unexpected(listed.error());
  return *listed == wanted.listed ? Result<void>{} : list(module, wanted.listed, host);
}

Result<bool> is_fresh(const HostView& host) {
  const auto own = OwnModprobeFile::read(host.files);
  if (!own) return std::unexpected(own.error());
  const auto initramfs = find_initramfs(host);
  if (!initramfs) return true;
  if (!initramfs->copied) return std::unexpected(initramfs->copied.error());
  return *initramfs->copied == own->digest();
}

Result<void> refresh(Host& host) {
  const auto own = OwnModprobeFile::read(host.view.files);
  if (!own) return std::unexpected(own.error());
  return refresh_initramfs(host, own->digest());
}

}  // namespace

Result<bool> KernelModules::satisfied(const StepAction& action, const HostView& host) const {
  const auto module = module_of(action);
  if (action.verb == module_verb::configure)
    return is_configured(module, entry_from(action.arguments), host.files);
  if (action.verb == module_verb::give_back || action.verb == module_verb::restore)
    return has_lines(module, lines_of(action), host.files);
  if (action.verb == module_verb::refresh) return is_fresh(host);
  const bool wanted = action.verb == module_verb::load || action.verb == module_verb::load_again ||
                      action.arguments.value("listed", false);
  const auto now = action.verb == module_verb::load_at_boot ? is_listed(module, host.files)
                                                            : is_loaded(module, host.modules);
  if (!now) return now;
  return *now == wanted;
}

Result<std::optional<Undo>> KernelModules::undo_of(const StepAction& action, const HostView& host) const {
  const auto module = module_of(action);
  Undo back{action};
  if (action.verb == module_verb::refresh) return back;
  if (action.verb == module_verb::load || action.verb == module_verb::unload) {
    const auto loaded = is_loaded(module, host.modules);
    if (!loaded) return std::unexpected(loaded.error());
    back.action.verb = *loaded ? module_verb::load_again : module_verb::unload;
    return back;
  }
  const auto own = OwnModprobeFile::read(host.files);
  if (!own) return std::unexpected(own.error());
  const auto listed = is_listed(module, host.files);
  if (!listed) return std::unexpected(listed.error());
  if (action.verb != module_verb::load_at_boot && !own->intact()) return std::nullopt;  // another hand's text
  const auto entry = own->of(module);
  if (action.verb == module_verb::give_back || action.verb == module_verb::restore)
    back.action.verb = module_verb::restore;
  back.action.arguments = {{"module", module}};
  if (action.verb != module_verb::load_at_boot) {
    back.action.arguments["blocked"] = entry.blocked;
    back.action.arguments["options"] = entry.options;
  }
  if (action.verb != module_verb::configure) back.action.arguments["listed"] = *listed;
  return back;
}

Result<void> KernelModules::run(const StepAction& action, Host& host) const {
  const auto module = module_of(action);
  if (action.verb == module_verb::configure) return configure(module, entry_from(action.arguments), host);
  if (action.verb == module_verb::load_at_boot)
    return list(module, action.arguments.value("listed", false), host);
  if (action.verb == module_verb::give_back || action.verb == module_verb::restore)
    return set_lines(module, lines_of(action), host);
  if (action.verb == module_verb::load) return host.modules.load(module);
  if (action.verb == module_verb::load_again) return host.modules.load_again(module);
  if (action.verb == module_verb::unload) return host.modules.unload(module);
  if (action.verb == module_verb::refresh) return refresh(host);
  return fail(ErrorKind::unsupported, fmt::format("no step '{}' for {}", action.verb, action.address));
}

}  // namespace gpuhost
