#include "host/real/kmod_modules.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>

#include <fcntl.h>
#include <fmt/format.h>
#include <libkmod.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/text.hpp"
#include "host/real/proc_modules.hpp"

namespace gpuhost {

namespace {

using Context = std::unique_ptr<kmod_ctx, decltype([](kmod_ctx* context) { kmod_unref(context); })>;
using Module = std::unique_ptr<kmod_module, decltype([](kmod_module* module) { kmod_module_unref(module); })>;
using InfoList =
    std::unique_ptr<kmod_list, decltype([](kmod_list* list) { kmod_module_info_free_list(list); })>;

/// A module by its exact name, with the library's state that it lives in.
struct Found {
  Context context;
  Module module;
  bool builtin = false;
};

std::string modules_folder(const KmodPaths& paths) {
  if (!paths.modules.empty()) return paths.modules;
  utsname kernel{};
  ::uname(&kernel);
  return fmt::format("/lib/modules/{}", kernel.release);
}

Context open_context(const std::string& folder, const std::vector<std::string>& config) {
  std::vector<const char*> names;
  for (const auto& path : config) names.push_back(path.c_str());
  names.push_back(nullptr);
  Context context(kmod_new(folder.c_str(), config.empty() ? nullptr : names.data()));
  // The library would print to standard error; what went wrong is in its return values.
  if (context) kmod_set_log_priority(context.get(), -1);
  return context;
}

/// not_found: that kernel has no such module; unsupported: it has no folder of modules to tell from.
Result<Found> find(const KmodPaths& paths, const std::string& name) {
  const auto folder = modules_folder(paths);
  if (::access(folder.c_str(), F_OK) != 0)
    return fail(errno == EACCES ? ErrorKind::denied : ErrorKind::unsupported,
                fmt::format("cannot tell whether there is a module {}: the running kernel has no folder {}",
                            name, folder),
                "install the package that the running kernel came from, or boot a kernel that is installed");
  Found found;
  found.context = open_context(folder, paths.config);
  if (!found.context) return fail(ErrorKind::io, "cannot start libkmod");
  kmod_module* module = nullptr;
  if (const int code = kmod_module_new_from_name(found.context.get(), name.c_str(), &module); code < 0)
    return std::unexpected(system_error(-code, "look up module", name));
  found.module.reset(module);
  found.builtin = kmod_module_get_initstate(module) == KMOD_MODULE_BUILTIN;
  if (!found.builtin && kmod_module_get_path(module) == nullptr)
    return fail(ErrorKind::not_found, fmt::format("there is no module {} in {}", name, folder),
                "install the package that brings it, or run depmod if it was copied there by hand");
  return found;
}

Result<ModuleFile> describe(const Found& found, const std::string& name) {
  ModuleFile file;
  file.builtin = found.builtin;
  kmod_list* raw = nullptr;
  const int code = kmod_module_get_info(found.module.get(), &raw);
  const InfoList list(raw);
  // Kernels before 5.2 keep no record of what is built in but its name.
  if (code < 0 && found.builtin) return file;
  if (code < 0) return std::unexpected(system_error(-code, "read module", name));
  for (const kmod_list* entry = raw; entry != nullptr; entry = kmod_list_next(raw, entry)) {
    const std::string_view key = kmod_module_info_get_key(entry);
    const std::string_view value = kmod_module_info_get_value(entry);
    if (key == "version") file.version = value;
    if (key == "signer") file.signer = value;
    // "parm" is name:description, "parmtype" is name:type; a parameter may have either or both.
    if (key == "parm" || key == "parmtype")
      file.parameters.push_back(underscored(value.substr(0, value.find(':'))));
  }
  std::ranges::sort(file.parameters);
  const auto repeated = std::ranges::unique(file.parameters);
  file.parameters.erase(repeated.begin(), repeated.end());
  return file;
}

/// The error code with which the install hook ends a load; the kernel gives it for no module.
constexpr int blocked_by_install_line = -ECANCELED;

/// Called by libkmod, in place of a shell, for a module that has an `install` line. `data` is a std::string.
int refuse_install_line(kmod_module* module, const char* /*line*/, void* data) noexcept {
  *static_cast<std::string*>(data) = kmod_module_get_name(module);
  return blocked_by_install_line;
}

Error load_error(int code, const std::string& name, const std::string& install_line_of) {
  if (code == blocked_by_install_line)
    return {ErrorKind::unsupported,
            fmt::format("cannot load module {}: an install line in modprobe.d stands in place of {}", name,
                        install_line_of),
            fmt::format("remove the line 'install {} …' if the module shall load", install_line_of)};
  auto error = system_error(-code, "load module", name);
  switch (-code) {
    case EPERM:
      error.advice = "loading modules needs root, and kernel.modules_disabled must be 0";
      break;
    case ENOKEY:
    case EKEYREJECTED:
    case EKEYEXPIRED:
    case EKEYREVOKED:
      error.kind = ErrorKind::denied;
      error.advice =
          "the kernel takes only signed modules (Secure Boot): sign it with a key that is enrolled (mokutil)";
      break;
    case ENOEXEC:
      error.kind = ErrorKind::unsupported;
      error.advice = "the module was built for another kernel: rebuild or reinstall it for the running one";
      break;
    case ENODEV:
      error.kind = ErrorKind::unsupported;
      error.advice = "the module found no device that it can drive";
      break;
    case ENOSYS:
      error.advice = "the running kernel has no support for modules";
      break;
    case ENOENT:
      error.advice =
          "a symbol or a module that it needs is missing or of another version: see the kernel log, run "
          "depmod";
      break;
    case EINVAL:
      error.advice = "see the kernel log: often an option in modprobe.d that the module refuses";
      break;
    default:
      error.advice = "see the kernel log";
  }
  return error;
}

Result<void> insert(const KmodPaths& paths, const std::string& name, unsigned probe_flags) {
  const auto found = find(paths, name);
  if (!found) return std::unexpected(found.error());
  if (found->builtin) return {};
  std::string install_line_of;
  const int code = kmod_module_probe_insert_module(found->module.get(), probe_flags, nullptr,
                                                   refuse_install_line, &install_line_of, nullptr);
  // Positive values tell of filters, of which none is asked for.
  if (code < 0 && code != -EEXIST) return std::unexpected(load_error(code, name, install_line_of));
  if (kmod_module_get_initstate(found->module.get()) != KMOD_MODULE_LIVE)
    return fail(ErrorKind::mismatch, fmt::format("module {} was loaded without error but is not there", name),
                "see the kernel log");
  return {};
}

}  // namespace

KmodModules::KmodModules(const FileReader& files, KmodPaths paths)
    : files_(files), paths_(std::move(paths)) {}

Result<std::map<std::string, LoadedModule>> KmodModules::loaded() const {
  const auto text = files_.read("/proc/modules");
  if (text) return parse_proc_modules(*text);
  if (text.error().kind == ErrorKind::not_found)
    return fail(ErrorKind::unsupported,
                "the running kernel has no support for modules (there is no /proc/modules)",
                "boot a kernel with module support, or take the module out of the document");
  return std::unexpected(text.error());
}

Result<ModuleFile> KmodModules::available(const std::string& name) const {
  const auto found = find(paths_, name);
  if (!found) return std::unexpected(found.error());
  return describe(*found, name);
}

Result<void> KmodModules::load(const std::string& name) {
  return insert(paths_, name, 0);
}

Result<void> KmodModules::load_again(const std::string& name) {
  return insert(paths_, name, KMOD_PROBE_IGNORE_COMMAND);
}

Result<void> KmodModules::unload(const std::string& name) {
  const auto before = loaded();
  if (!before) return std::unexpected(before.error());
  if (!before->contains(underscored(name))) return {};
  const Context context = open_context(modules_folder(paths_), paths_.config);
  if (!context) return fail(ErrorKind::io, "cannot start libkmod");
  kmod_module* raw = nullptr;
  if (const int code = kmod_module_new_from_name(context.get(), name.c_str(), &raw); code < 0)
    return std::unexpected(system_error(-code, "look up module", name));
  const Module module(raw);
  const int code = kmod_module_remove_module(raw, KMOD_REMOVE_NOWAIT | KMOD_REMOVE_NOLOG);
  if (code == -EAGAIN || code == -EBUSY) return std::unexpected(in_use(name));
  if (code < 0 && code != -ENOENT) {
    auto error = system_error(-code, "unload module", name);
    if (code == -EPERM) error.advice = "unloading modules needs root, and kernel.modules_disabled must be 0";
    return std::unexpected(std::move(error));
  }
  const auto after = loaded();
  if (!after) return std::unexpected(after.error());
  if (after->contains(underscored(name)))
    return fail(ErrorKind::mismatch,
                fmt::format("module {} was unloaded without error but is still there", name));
  return {};
}

Error KmodModules::in_use(const std::string& name) const {
  std::string by = "somebody";
  if (const auto now = loaded()) {
    if (const auto found = now->find(underscored(name)); found != now->end())
      by = found->second.users.empty()
               ? fmt::format("{} open users that are no modules", found->second.use_count)
               : "modules " + join(found->second.users, ", ");
  }
  return {ErrorKind::busy, fmt::format("cannot unload module {}: it is in use by {}", name, by),
          "unload or stop its users first"};
}

}  // namespace gpuhost
