#include "host/sim/decode_host_gpus.hpp"

#include <array>

#include <fmt/core.h>

#include "base/text.hpp"
#include "document/messages.hpp"
#include "host/sim/decode_host_entry.hpp"
#include "host/sim/decode_host_mig.hpp"
#include "host/sim/decode_host_value.hpp"

namespace gpuhost {

namespace {

using Framework = HostFile::VgpuFramework;

constexpr std::array framework_words = {Word<Framework>{"none", Framework::none},
                                        Word<Framework>{"mdev", Framework::mdev},
                                        Word<Framework>{"vendor-vfio", Framework::vendor_vfio}};

constexpr Format pci_address = {"a PCI address", "write it as 0000:41:00.0",
                                [](std::string_view text) { return PciAddress::parse(text).has_value(); }};

constexpr unsigned longest_reset = 3600;    // seconds
constexpr unsigned most_functions = 65535;  // of one device, as the PCIe capability counts them

std::vector<std::string> module_names(const Value& value) {
  auto names = words_in(value);
  for (auto& name : names) name = underscored(name);
  return names;
}

using Policy = VgpuScheduler::Policy;

constexpr std::array policy_words = {Word<Policy>{"best-effort", Policy::best_effort},
                                     Word<Policy>{"equal-share", Policy::equal_share},
                                     Word<Policy>{"fixed-share", Policy::fixed_share}};
constexpr unsigned longest_turn_ns = 1'000'000'000;
constexpr unsigned most_turns = 1000;

VgpuScheduler decode_scheduler(const Value& value) {
  VgpuScheduler scheduler;
  auto reader = value.mapping();
  if (const auto policy = reader.at("policy"))
    scheduler.policy = policy.word<Policy>(policy_words).value_or(scheduler.policy);
  if (const auto strict = reader.at("roundRobin")) scheduler.round_robin = strict.boolean().value_or(true);
  if (const auto turn = reader.at("timeslice"))
    scheduler.timeslice_ns = static_cast<unsigned>(turn.integer(0, longest_turn_ns).value_or(0));
  if (const auto turns = reader.at("averaging"))
    scheduler.averaging = static_cast<unsigned>(turns.integer(0, most_turns).value_or(0));
  return scheduler;
}

std::map<unsigned, std::string> decode_vgpu_types(const Value& value) {
  std::map<unsigned, std::string> types;
  for (const auto& [key, name, entry] : value.entries().value_or(std::vector<NamedValue>{})) {
    const auto number = parse_unsigned(name);
    if (!number)
      key.report(messages::malformed, fmt::format("'{}' is not the number of a vGPU type", name),
                 "write it as nvidia-smi vgpu -s -v prints it");
    else
      types.emplace(static_cast<unsigned>(*number), entry.text().value_or(""));
  }
  return types;
}

HostFile::Gpu decode_gpu(const Value& value) {
  HostFile::Gpu gpu;
  auto reader = value.mapping();
  if (const auto uuid = reader.at("uuid")) gpu.uuid = uuid.text().value_or("");
  if (const auto drivers = reader.at("drivers")) gpu.drivers = module_names(drivers);
  if (const auto framework = reader.at("framework")) {
    gpu.framework = framework.word<Framework>(framework_words).value_or(gpu.framework);
  }
  if (const auto first = reader.at("firstFunction")) {
    gpu.first_function = PciAddress::parse(first.text(pci_address).value_or(""));
  }
  if (const auto after = reader.at("typesAfter")) gpu.types_after = after.integer(0, 1000).value_or(0);
  if (const auto index = reader.at("functionFails")) {
    gpu.failing_function = index.integer(0, most_functions);
  }
  if (const auto serial = reader.at("serial")) gpu.serial = decode_text(serial).value_or("");
  if (const auto ecc = reader.at("ecc")) gpu.ecc = decode_gpu_switch(ecc);
  if (const auto scheduler = reader.at("scheduler")) gpu.scheduler = decode_scheduler(scheduler);
  if (const auto next = reader.at("nextDisplay")) gpu.next_display = next.text().value_or("");
  if (const auto mixed = reader.at("mixedSizes")) gpu.mixed_sizes = mixed.boolean().value_or(false);
  if (const auto licensed = reader.at("licensed")) gpu.licensed = licensed.boolean().value_or(false);
  if (const auto time = reader.at("resetSeconds")) {
    gpu.reset_time = std::chrono::seconds(time.integer(0, longest_reset).value_or(0));
  }
  if (const auto types = reader.at("vgpuTypes")) gpu.vgpu_types = decode_vgpu_types(types);
  if (const auto mig = reader.at("mig")) decode_host_mig(mig, gpu);
  if (const auto gone = reader.at("gone")) gpu.gone = gone.boolean().value_or(false);
  return gpu;
}

HostFile::Function decode_function(const Value& value) {
  HostFile::Function function;
  auto reader = value.mapping();
  if (const auto drivers = reader.at("drivers")) function.drivers = module_names(drivers);
  return function;
}

template <class T>
std::map<PciAddress, T> by_address(const Value& value, T (*decode)(const Value&),
                                   std::optional<Error>* unknown = nullptr) {
  std::map<PciAddress, T> found;
  for (const auto& [key, name, entry] : value.entries().value_or(std::vector<NamedValue>{})) {
    if (unknown != nullptr && name == "unknown") {
      *unknown = decode_error(entry);
      continue;
    }
    const auto address = PciAddress::parse(name);
    auto decoded = decode(entry);
    if (!address) {
      key.report(messages::malformed, fmt::format("'{}' is not a PCI address", name),
                 std::string(pci_address.advice));
    } else if (!found.emplace(*address, std::move(decoded)).second) {
      key.report(messages::duplicate_key, fmt::format("the PCI function {} stands here twice", name));
    }
  }
  return found;
}

}  // namespace

void decode_host_gpus(const Value& value, HostFile::Machine& machine) {
  machine.gpus = by_address<HostFile::Gpu>(value, decode_gpu, &machine.gpus_unknown);
}

std::map<PciAddress, HostFile::Function> decode_host_functions(const Value& value) {
  return by_address<HostFile::Function>(value, decode_function);
}

}  // namespace gpuhost
