#include <algorithm>
#include <array>

#include <fmt/core.h>

#include "base/text.hpp"
#include "document/head.hpp"
#include "document/map_reader.hpp"
#include "document/messages.hpp"
#include "document/yaml.hpp"
#include "host/sim/decode_guests.hpp"
#include "host/sim/decode_host_entry.hpp"
#include "host/sim/decode_host_gpus.hpp"
#include "host/sim/decode_host_value.hpp"
#include "host/sim/decode_installers.hpp"
#include "host/sim/host_file.hpp"
#include "host/sim/sim_units.hpp"

namespace gpuhost {

namespace {

constexpr std::array iommu_words = {Word<HostFile::Iommu>{"none", HostFile::Iommu::none},
                                    Word<HostFile::Iommu>{"intel", HostFile::Iommu::intel},
                                    Word<HostFile::Iommu>{"amd", HostFile::Iommu::amd}};

/// Names of modules or parameters, as the kernel prints them.
std::vector<std::string> kernel_names(const Value& value) {
  auto names = words_in(value);
  for (auto& name : names) name = underscored(name);
  std::ranges::sort(names);
  return names;
}

void decode_groups(const Value& value, HostFile::Machine& machine) {
  for (const auto& [key, name, devices] : value.entries().value_or(std::vector<NamedValue>{})) {
    if (const auto number = parse_unsigned(name); number && *number <= 65535) {
      machine.iommu_groups[static_cast<unsigned>(*number)] = words_in(devices);
    } else {
      key.report(messages::malformed, fmt::format("'{}' is not the number of an IOMMU group", name));
    }
  }
}

HostFile::Machine decode_machine(const Value& value) {
  HostFile::Machine machine;
  if (!value) return machine;
  auto reader = value.mapping();
  if (const auto iommu = reader.at("iommu")) {
    machine.iommu = iommu.word<HostFile::Iommu>(iommu_words).value_or(machine.iommu);
  }
  if (const auto on = reader.at("iommuDefaultOn")) machine.iommu_default_on = on.boolean().value_or(true);
  if (const auto groups = reader.at("iommuGroups")) decode_groups(groups, machine);
  machine.iommu_units = words_in(reader.at("iommuUnits"));
  machine.initramfs = decode_text(reader.at("initramfs"));
  machine.esp_command_line = decode_text(reader.at("espCommandLine"));
  machine.panics_with = words_in(reader.at("panicsWith"));
  if (const auto gpus = reader.at("gpus")) decode_host_gpus(gpus, machine);
  if (const auto functions = reader.at("functions")) machine.functions = decode_host_functions(functions);
  return machine;
}

std::optional<LoadedModule> decode_loaded(const Value& value) {
  if (!value) return std::nullopt;
  if (is_scalar(value)) return is_true(value) ? std::optional(LoadedModule{}) : std::nullopt;
  auto reader = value.mapping();
  LoadedModule loaded;
  loaded.users = kernel_names(reader.at("users"));
  loaded.use_count = static_cast<unsigned>(loaded.users.size());
  if (const auto uses = reader.at("uses"))
    loaded.use_count = uses.integer(0, 1'000'000).value_or(loaded.use_count);
  return loaded;
}

HostFile::Module decode_module(const Value& value) {
  HostFile::Module module;
  auto reader = value.mapping();
  module.file.builtin = is_true(reader.at("builtin"));
  module.file.version = decode_text(reader.at("version")).value_or("");
  module.file.signer = decode_text(reader.at("signer")).value_or("");
  module.file.parameters = kernel_names(reader.at("parameters"));
  if (const auto defaults = reader.at("defaults")) {
    for (const auto& [key, name, text] : defaults.entries().value_or(std::vector<NamedValue>{})) {
      module.defaults[underscored(name)] = decode_text(text).value_or("");
      module.file.parameters.push_back(underscored(name));
    }
  }
  std::ranges::sort(module.file.parameters);
  const auto twice = std::ranges::unique(module.file.parameters);
  module.file.parameters.erase(twice.begin(), twice.end());
  for (auto& name : words_in(reader.at("depends"))) module.depends.push_back(underscored(name));
  module.at_boot = is_true(reader.at("atBoot"));
  module.loaded = decode_loaded(reader.at("loaded"));
  module.unknown = decode_error(reader.at("unknown"));
  module.broken = is_true(reader.at("broken"));
  return module;
}

void decode_modules(const Value& value, HostFile& host) {
  for (const auto& [key, name, entry] : value.entries().value_or(std::vector<NamedValue>{})) {
    if (name == "unknown") {
      host.modules_unknown = decode_error(entry);
    } else if (!host.modules.emplace(underscored(name), decode_module(entry)).second) {
      key.report(messages::duplicate_key, fmt::format("the module {} stands here twice", underscored(name)));
    }
  }
}

/// `true` and `false` for the two states that most units have, else systemd's own word.
std::string decode_unit_file_state(const Value& value) {
  const std::string word = decode_text(value).value_or("disabled");
  if (word == "true") return "enabled";
  return word == "false" ? "disabled" : word;
}

HostFile::Unit decode_unit(const std::string& name, const Value& value) {
  HostFile::Unit unit;
  auto& state = unit.state;
  if (is_scalar(value)) {
    state.active_state = decode_text(value).value_or("");
    state.unit_file_state = "disabled";
    state.load_state = "loaded";
    state.sub_state = usual_sub_state(name, state.active_state);
    return unit;
  }
  auto reader = value.mapping();
  if (auto unknown = decode_error(reader.at("unknown"))) return {{}, false, std::move(unknown)};
  state.active_state = decode_text(reader.at("state")).value_or("inactive");
  state.unit_file_state = decode_unit_file_state(reader.at("enabled"));
  state.load_state = decode_text(reader.at("load")).value_or(usual_load_state(state.unit_file_state));
  state.sub_state = decode_text(reader.at("sub")).value_or(usual_sub_state(name, state.active_state));
  unit.refuses_to_stop = is_true(reader.at("refusesToStop"));
  return unit;
}

void decode_units(const Value& value, HostFile& host) {
  for (const auto& [key, name, entry] : value.entries().value_or(std::vector<NamedValue>{})) {
    if (name == "unknown") {
      host.units_unknown = decode_error(entry);
    } else {
      host.units.emplace(name, decode_unit(name, entry));
    }
  }
}

HostFile decode(const Value& value) {
  HostFile host;
  auto reader = value.mapping();
  if (!check_head(reader, "Host")) {
    reader.claim_all();
    return host;
  }
  auto metadata = reader.required("metadata").mapping();
  host.name = metadata.required("name").text().value_or("");
  host.description = decode_text(metadata.at("description")).value_or("");
  host.machine = decode_machine(reader.at("machine"));
  if (const auto files = reader.at("files")) host.files = decode_host_entries(files);
  if (const auto modules = reader.at("modules")) decode_modules(modules, host);
  if (const auto units = reader.at("units")) decode_units(units, host);
  if (const auto processes = reader.at("processes")) decode_processes(processes, host);
  if (const auto domains = reader.at("domains")) decode_domains(domains, host);
  if (const auto installers = reader.at("installers")) host.installers = decode_installers(installers);
  return host;
}

}  // namespace

std::optional<HostFile> decode_host_file(std::uint32_t source, Diagnostics& diagnostics) {
  const auto node = parse_yaml(source, diagnostics, host_file_limits);
  if (!node) return std::nullopt;
  Reading reading{diagnostics};
  auto host = decode(Value(&*node, "", node->mark, reading));
  if (!diagnostics.empty()) return std::nullopt;
  return host;
}

}  // namespace gpuhost
