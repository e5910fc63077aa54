#include "host/sim/decode_host_mig.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include <fmt/core.h>

#include "base/text.hpp"
#include "document/messages.hpp"
#include "host/sim/decode_host_entry.hpp"
#include "host/sim/decode_host_value.hpp"

namespace gpuhost {

namespace {

constexpr std::array switch_words = {Word<bool>{"on", true}, Word<bool>{"off", false}};
constexpr unsigned most_slices = 64;       // far above what any GPU has
constexpr unsigned most_instances = 4096;  // as many ids
constexpr unsigned largest_memory_mb = 1U << 30U;
constexpr unsigned largest_pid = 4'194'304;  // PID_MAX_LIMIT of a 64-bit Linux

std::vector<Value> items_of(const Value& value) {
  return value ? value.list().value_or(std::vector<Value>{}) : std::vector<Value>{};
}

unsigned number(const Value& value, unsigned least, unsigned most) {
  return static_cast<unsigned>(value.integer(least, most).value_or(least));
}

GpuInstanceProfile decode_profile(const Value& value) {
  auto reader = value.mapping();
  GpuInstanceProfile profile;
  profile.id = number(reader.required("id"), 0, most_instances);
  profile.name = reader.required("name").text().value_or("");
  profile.slices = number(reader.required("slices"), 1, most_slices);
  profile.most = number(reader.required("most"), 0, most_instances);
  if (const auto memory = reader.at("memory")) profile.memory_mb = number(memory, 0, largest_memory_mb);
  const unsigned size = number(reader.required("size"), 1, most_slices);
  for (const auto& start : items_of(reader.required("starts")))
    profile.placements.push_back({number(start, 0, most_slices), size});
  return profile;
}

/// "4:2", as `nvidia-smi mig -lgi` prints start and size.
MigPlacement decode_placement(const Value& value) {
  const auto text = decode_text(value).value_or("0:1");
  const auto parts = split(text, ':');
  const auto start = parse_unsigned(parts.front());
  const auto size = parse_unsigned(parts.back());
  if (parts.size() == 2 && start && size && *start <= most_slices && *size >= 1 && *size <= most_slices)
    return {static_cast<unsigned>(*start), static_cast<unsigned>(*size)};
  value.report(messages::malformed, fmt::format("'{}' is no placement", text), "write START:SIZE, as 4:2");
  return {0, 1};
}

void decode_compute_instances(const Value& value, GpuInstance& instance) {
  for (const auto& [key, name, placement] :
       value ? value.entries().value_or(std::vector<NamedValue>{}) : std::vector<NamedValue>{}) {
    if (const auto id = parse_unsigned(name); id && *id <= most_instances)
      instance.compute_instances.push_back({static_cast<unsigned>(*id), decode_placement(placement)});
    else
      key.report(messages::malformed, fmt::format("'{}' is no id of a compute instance", name));
  }
}

GpuInstance decode_instance(const Value& value) {
  auto reader = value.mapping();
  GpuInstance instance;
  instance.id = number(reader.required("id"), 0, most_instances);
  instance.profile = number(reader.required("profile"), 0, most_instances);
  instance.placement = decode_placement(reader.required("placement"));
  decode_compute_instances(reader.at("compute"), instance);
  for (const auto& pid : items_of(reader.at("processes")))
    instance.processes.push_back(static_cast<int>(pid.integer(1, largest_pid).value_or(1)));
  if (const auto vgpus = reader.at("vgpus")) instance.vgpus = number(vgpus, 0, most_instances);
  std::ranges::sort(instance.compute_instances, {}, &ComputeInstance::id);
  std::ranges::sort(instance.processes);
  return instance;
}

}  // namespace

GpuSwitch decode_gpu_switch(const Value& value) {
  if (is_scalar(value)) {
    const bool on = value.word<bool>(switch_words).value_or(false);
    return {on, on};
  }
  auto reader = value.mapping();
  return {reader.required("current").word<bool>(switch_words).value_or(false),
          reader.required("pending").word<bool>(switch_words).value_or(false)};
}

void decode_host_mig(const Value& value, HostFile::Gpu& gpu) {
  auto reader = value.mapping();
  if (const auto mode = reader.at("mode")) gpu.mig.mode = decode_gpu_switch(mode);
  if (const auto profiles = reader.at("profiles")) {
    auto& known = gpu.mig_profiles.emplace();
    for (const auto& profile : items_of(profiles)) known.push_back(decode_profile(profile));
    std::ranges::sort(known, {}, &GpuInstanceProfile::id);
  }
  for (const auto& instance : items_of(reader.at("instances")))
    gpu.mig.instances.push_back(decode_instance(instance));
  std::ranges::sort(gpu.mig.instances, {}, &GpuInstance::id);
  if (const auto unknown = reader.at("unknown")) gpu.mig_unknown = decode_error(unknown);
}

}  // namespace gpuhost
