#include "document/names.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "document/messages.hpp"

namespace gpuhost {

namespace {

constexpr unsigned most_gpus = 64;

/// A number in its shortest form: "0", "17".
std::optional<unsigned> parse_index(std::string_view text) {
  if (text.empty() || text.size() > 4 || text.find_first_not_of("0123456789") != std::string_view::npos)
    return std::nullopt;
  if (text.size() > 1 && text.starts_with('0')) return std::nullopt;
  return static_cast<unsigned>(*parse_unsigned(text));
}

void report_undefined(std::string_view what, const Located<std::string>& name,
                      std::span<const std::string> known, Diagnostics& diagnostics) {
  const auto near = suggest(*name, known);
  diagnostics.report(messages::undefined_name, name.mark, fmt::format("no {} has the name '{}'", what, *name),
                     near            ? fmt::format("did you mean '{}'?", *near)
                     : known.empty() ? "give a name to the entry of 'gpus' that is meant"
                                     : fmt::format("named here: {}", join(known, ", ")));
}

}  // namespace

void DeviceNames::declare_gpu(const Located<std::string>& name, const GpuSelector& selector,
                              Diagnostics& diagnostics) {
  const unsigned most = selector.may_match_several() ? selector.expect.value_or(most_gpus) : 1;
  const bool single = most == 1 || !selector.expect;
  const auto [at, added] = gpus_.try_emplace(*name, Gpu{name.mark, most, single});
  if (!added)
    diagnostics.report(messages::duplicate_name, name.mark,
                       fmt::format("another GPU has the name '{}'", *name), {}, at->second.mark);
}

void DeviceNames::declare_vgpus(const std::string& gpu, const std::string& vgpu, unsigned count) {
  if (const auto found = gpus_.find(gpu); found != gpus_.end()) found->second.vgpus.emplace(vgpu, count);
}

std::optional<DeviceNames::Found> DeviceNames::find_gpu(std::string_view reference) const {
  const auto mark = reference.find('#');
  const std::string name(reference.substr(0, mark));
  const auto found = gpus_.find(name);
  if (found == gpus_.end()) return std::nullopt;
  const Gpu& gpu = found->second;
  if (mark == std::string_view::npos)
    return gpu.single ? std::optional(Found{name, name + "#0", &gpu}) : std::nullopt;
  const auto index = parse_index(reference.substr(mark + 1));
  if (!index || *index >= gpu.most) return std::nullopt;
  return Found{name, fmt::format("{}#{}", name, *index), &gpu};
}

std::vector<std::string> DeviceNames::known_gpus() const {
  std::vector<std::string> known;
  for (const auto& [name, gpu] : gpus_) {
    if (gpu.single)
      known.push_back(name);
    else
      for (unsigned i = 0; i < gpu.most; ++i) known.push_back(fmt::format("{}#{}", name, i));
  }
  return known;
}

std::vector<std::string> DeviceNames::known_vgpus() const {
  std::vector<std::string> known;
  for (const auto& [name, gpu] : gpus_)
    for (const auto& [vgpu, count] : gpu.vgpus)
      known.push_back(fmt::format("{}{}/{}/0", name, gpu.single ? "" : "#0", vgpu));
  return known;
}

void DeviceNames::use(const std::string& device, Mark mark, Diagnostics& diagnostics) {
  if (const auto [at, added] = users_.emplace(device, mark); !added)
    diagnostics.report(messages::used_twice, mark, "this device is given to a virtual machine a second time",
                       "a device can be in one virtual machine only", at->second);
}

std::optional<std::string> DeviceNames::refer_gpu(const Located<std::string>& name,
                                                  Diagnostics& diagnostics) {
  const auto found = find_gpu(*name);
  if (!found) {
    report_undefined("GPU", name, known_gpus(), diagnostics);
    return std::nullopt;
  }
  use(found->unique, name.mark, diagnostics);
  return found->name;
}

void DeviceNames::refer_vgpu(const Located<std::string>& path, Diagnostics& diagnostics) {
  const auto parts = split(*path, '/');
  const auto gpu = find_gpu(parts[0]);
  if (gpu && (parts.size() == 2 || parts.size() == 3)) {
    const auto vgpu = gpu->gpu->vgpus.find(std::string(parts[1]));
    const auto index = parts.size() == 3 ? parse_index(parts[2]) : std::optional(0U);
    const bool complete = parts.size() == 3 || (vgpu != gpu->gpu->vgpus.end() && vgpu->second == 1);
    if (vgpu != gpu->gpu->vgpus.end() && complete && index && *index < vgpu->second) {
      use(fmt::format("{}/{}/{}", gpu->unique, parts[1], *index), path.mark, diagnostics);
      return;
    }
  }
  report_undefined("vGPU", path, known_vgpus(), diagnostics);
}

}  // namespace gpuhost
