#include "kinds/host_limits.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"
#include "document/formats.hpp"
#include "document/head.hpp"
#include "document/map_reader.hpp"
#include "document/yaml.hpp"
#include "kinds/document_policy.hpp"

namespace gpuhost {

namespace {

using Sort = LimitedPart::Sort;

/// No brackets: a '-' in them is no part of a name.
const Format name_glob{"a pattern of names", "use letters, digits, '_', '-', '.', '*' and '?'",
                       [](std::string_view text) { return formats::is_word(text, "_-.*?"); }};

HostLimits::Names decode_globs(const Value& list, const Format& format) {
  if (!list) return std::nullopt;
  std::vector<std::string> globs;
  for (const auto& item : list.list().value_or(std::vector<Value>{}))
    if (auto glob = item.text(format)) globs.push_back(std::move(*glob));
  return globs;
}

HostLimits decode_body(MapReader& file) {
  HostLimits limits;
  limits.ceiling.disruption = decode_disruption(file.at("disruption"));
  decode_protect(file.at("protect"), limits.ceiling.protected_vms, limits.ceiling.protected_gpus);
  limits.sources = decode_globs(file.at("sources"), formats::printable);
  if (const Value kernel = file.at("kernel")) {
    MapReader reader = kernel.mapping();
    limits.parameters = decode_globs(reader.at("parameters"), name_glob);
    limits.modules = decode_globs(reader.at("modules"), name_glob);
  }
  return limits;
}

const HostLimits::Names& names_of(Sort sort, const HostLimits& limits) {
  switch (sort) {
    case Sort::source:
      return limits.sources;
    case Sort::parameter:
      return limits.parameters;
    case Sort::module:
      return limits.modules;
  }
  std::unreachable();
}

bool allows(const std::vector<std::string>& globs, const LimitedPart& part) {
  return std::ranges::any_of(globs, [&](const std::string& glob) {
    return part.sort == Sort::source ? glob_matches(glob, part.name)
                                     : glob_matches(underscored(glob), underscored(part.name));
  });
}

/// A community's merge of the vGPU manager and the guests' driver in one package, which NVIDIA does not make.
bool is_merged_driver(const LimitedPart& part) {
  return part.sort == Sort::source && part.name.contains("grid-vgpu-kvm");
}

Note refusal_of_merged(const LimitedPart& part) {
  return {
      Note::Severity::error, part.address,
      fmt::format("{} is a merge of host and guest driver that is not NVIDIA's", part.name),
      fmt::format("use NVIDIA's vgpu-kvm package, or name this one, without a pattern, under sources in {}",
                  local_limits_path)};
}

}  // namespace

std::optional<HostLimits> decode_host_limits(Diagnostics& diagnostics, std::set<std::string>* known_keys) {
  const auto tree = parse_yaml(0, diagnostics);
  if (!tree) return std::nullopt;
  Reading reading{diagnostics, known_keys};
  HostLimits limits;
  {
    MapReader file = Value(&*tree, {}, tree->mark, reading).mapping();
    if (check_head(file, "HostLimits"))
      limits = decode_body(file);
    else
      file.claim_all();
  }
  if (!diagnostics.empty()) return std::nullopt;
  return limits;
}

std::vector<LimitedPart> limited_parts(const DocumentSpecs& specs) {
  std::vector<LimitedPart> parts;
  for (const auto& parameter : specs.kernel_parameters)
    parts.push_back(
        {Sort::parameter, parameter.key, fmt::format("kernel.parameters[{}]", underscored(parameter.key))});
  for (const auto& module : specs.kernel_modules)
    parts.push_back({Sort::module, module.name, fmt::format("kernel.modules[{}]", underscored(module.name))});
  const auto add_source = [&](const std::optional<PackageSource>& source, std::string address) {
    if (source) parts.push_back({Sort::source, source->what, std::move(address)});
  };
  if (specs.driver) add_source(specs.driver->value.source, "driver.source");
  for (const auto& vm : specs.vms)
    if (vm.guest_driver)
      add_source(vm.guest_driver->value.source, fmt::format("vm[{}].guestDriver.source", *vm.vm.name));
  return parts;
}

std::vector<Note> forbidden(const std::vector<LimitedPart>& parts, const HostLimits& limits) {
  std::vector<Note> notes;
  for (const auto& part : parts) {
    const auto& allowed = names_of(part.sort, limits);
    const bool by_name = allowed && std::ranges::find(*allowed, part.name) != allowed->end();
    if (is_merged_driver(part) && !by_name) notes.push_back(refusal_of_merged(part));
    if (!allowed || allows(*allowed, part)) continue;
    notes.push_back({Note::Severity::error, part.address,
                     fmt::format("{} of this host does not allow {}", local_limits_path, part.name),
                     allowed->empty() ? "it allows none" : "it allows " + join(*allowed, ", ")});
  }
  return notes;
}

}  // namespace gpuhost
