#include "kinds/kernel_modules/obstacles.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"

namespace gpuhost {

namespace {

using State = KernelModuleSpec::State;

bool comes_after_own(std::string_view path) {
  const auto name = [](std::string_view file) { return file.substr(file.rfind('/') + 1); };
  return name(path) > name(OwnModprobeFile::path);
}

}  // namespace

std::vector<std::string> option_obstacles(const KernelModuleSpec& spec, const KernelModulesState& state) {
  std::vector<std::string> found;
  if (!state.running || spec.options.empty()) return found;
  const auto& file = state.running->files.at(spec.name);
  if (!file) return found;
  if (file->builtin)
    found.push_back(
        fmt::format("module {0} is built into the kernel, which reads no modprobe.d for it: use "
                    "kernel.parameters with the key {0}.{1}",
                    spec.name, spec.options.begin()->first));
  for (const auto& [name, value] : spec.options) {
    if (std::ranges::find(file->parameters, name) != file->parameters.end()) continue;
    const auto near = suggest(name, file->parameters);
    found.push_back(fmt::format("module {} has no parameter '{}'{}", spec.name, name,
                                near ? fmt::format(": did you mean '{}'?", *near) : ""));
  }
  return found;
}

std::vector<std::string> load_obstacles(const KernelModuleSpec& spec, const KernelModulesState& state) {
  if (!state.running->loaded)
    return {fmt::format("module {} cannot be loaded: {}", spec.name, state.running->loaded.error().message)};
  const auto& file = state.running->files.at(spec.name);
  if (!file) {
    const auto& error = file.error();
    return {error.advice.empty() ? error.message : error.message + "; " + error.advice};
  }
  return {};
}

std::vector<std::string> config_obstacles(const KernelModuleSpec& spec, const KernelModulesState& state) {
  std::vector<std::string> found;
  const auto install = state.modprobe->install.find(spec.name);
  const bool installs =
      install != state.modprobe->install.end() && install->second.file != OwnModprobeFile::path;
  const bool replaced = state.modprobe->replaces_loading(spec.name);
  if (spec.state == State::blocked && installs && !replaced)
    found.push_back(fmt::format("{} has an install command for module {}, which comes first: take it out",
                                install->second.file, spec.name));
  if (spec.state == State::loaded && installs && replaced)
    found.push_back(fmt::format("{} blocks module {}: take the line out", install->second.file, spec.name));
  // systemd-modules-load heeds the blacklist.
  const auto blacklisted = state.modprobe->blacklisted.find(spec.name);
  if (spec.state == State::loaded && found.empty() && blacklisted != state.modprobe->blacklisted.end() &&
      blacklisted->second != OwnModprobeFile::path)
    found.push_back(fmt::format("{} blacklists module {}, so that a boot does not load it: take the line out",
                                blacklisted->second, spec.name));
  return found;
}

std::vector<std::string> overriding_files(const KernelModuleSpec& spec, const KernelModulesState& state) {
  std::vector<std::string> found;
  const auto files = state.modprobe->set_by.find(spec.name);
  if (files == state.modprobe->set_by.end()) return found;
  for (const auto& [name, value] : spec.options) {
    const auto file = files->second.find(name);
    if (file == files->second.end() || !comes_after_own(file->second)) continue;
    if (!same_parameter_value(state.modprobe->options.at(spec.name).at(name), value))
      found.push_back(
          fmt::format("{} sets option {} of module {} too and is read after {}: take it out there",
                      file->second, name, spec.name, OwnModprobeFile::path));
  }
  return found;
}

}  // namespace gpuhost
