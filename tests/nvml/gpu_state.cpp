#include "nvml/gpu_state.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nvml/kernel_gpus.hpp"

namespace gpuhost::fake_nvml {

namespace {

bool is_alive(int pid) {
  return ::kill(pid, 0) == 0 || errno == EPERM;
}

GpuSwitch read_switch(const Json& json) {
  return {json.at("current").get<bool>(), json.at("pending").get<bool>()};
}

Json write_switch(const GpuSwitch& state) {
  return {{"current", state.current}, {"pending", state.pending}};
}

MigPlacement read_placement(const Json& json) {
  return {json.at("start").get<unsigned>(), json.at("size").get<unsigned>()};
}

Json write_placement(const MigPlacement& at) {
  return {{"start", at.start}, {"size", at.size}};
}

void read_profile(const Json& json, FakeGpu& gpu) {
  GpuInstanceProfile profile{.id = json.at("id").get<unsigned>(),
                             .name = json.at("name").get<std::string>(),
                             .slices = json.at("slices").get<unsigned>(),
                             .most = json.at("most").get<unsigned>(),
                             .memory_mb = json.at("memory_mb").get<std::uint64_t>()};
  for (const auto& start : json.at("starts"))
    profile.placements.push_back({start.get<unsigned>(), json.at("size").get<unsigned>()});
  gpu.profile_of_kind[json.at("kind").get<unsigned>()] = profile.id;
  gpu.hardware.profiles.push_back(std::move(profile));
}

Json write_profile(unsigned kind, const GpuInstanceProfile& profile) {
  Json starts = Json::array();
  for (const auto& at : profile.placements) starts.push_back(at.start);
  return {{"kind", kind},
          {"id", profile.id},
          {"name", profile.name},
          {"slices", profile.slices},
          {"most", profile.most},
          {"memory_mb", profile.memory_mb},
          {"size", profile.placements.front().size},
          {"starts", starts}};
}

void read_instance(const Json& json, FakeGpu& gpu) {
  GpuInstance instance{.id = json.at("id").get<unsigned>(),
                       .profile = json.at("profile").get<unsigned>(),
                       .placement = read_placement(json),
                       .processes = json.value("processes", std::vector<int>{}),
                       .vgpus = json.value("vgpus", 0U)};
  gpu.parts[{instance.id, std::nullopt}] = json.value("handle", std::uint64_t{0});
  for (const auto& part : json.value("compute", Json::array())) {
    const auto id = part.at("id").get<unsigned>();
    instance.compute_instances.push_back({id, read_placement(part)});
    gpu.parts[{instance.id, id}] = part.value("handle", std::uint64_t{0});
  }
  gpu.mig.instances.push_back(std::move(instance));
}

Json write_instance(const GpuInstance& instance, const FakeGpu& gpu) {
  auto json = write_placement(instance.placement);
  json["id"] = instance.id;
  json["profile"] = instance.profile;
  json["processes"] = instance.processes;
  json["vgpus"] = instance.vgpus;
  json["handle"] = gpu.parts.at({instance.id, std::nullopt});
  json["compute"] = Json::array();
  for (const auto& part : instance.compute_instances) {
    auto one = write_placement(part.placement);
    one["id"] = part.id;
    one["handle"] = gpu.parts.at({instance.id, part.id});
    json["compute"].push_back(std::move(one));
  }
  return json;
}

nvml::SchedulerState read_scheduler(const Json& json) {
  nvml::SchedulerState state{.policy = json.at("policy").get<unsigned>(),
                             .round_robin = json.at("round_robin").get<unsigned>()};
  const auto timeslice = json.value("timeslice_ns", 0U);
  if (state.round_robin == nvml::round_robin_off)
    state.plain.timeslice_ns = timeslice;
  else
    state.with_round_robin = {json.value("averaging", 0U), timeslice};
  return state;
}

Json write_scheduler(const nvml::SchedulerState& state) {
  Json json{{"policy", state.policy}, {"round_robin", state.round_robin}};
  if (state.round_robin == nvml::round_robin_off) {
    json["timeslice_ns"] = state.plain.timeslice_ns;
  } else {
    json["averaging"] = state.with_round_robin.averaging;
    json["timeslice_ns"] = state.with_round_robin.timeslice_ns;
  }
  return json;
}

FakeGpu read_gpu(const Json& json) {
  FakeGpu gpu;
  gpu.address = PciAddress::parse(json.at("address").get<std::string>()).value();
  gpu.uuid = json.at("uuid").get<std::string>();
  gpu.name = json.at("name").get<std::string>();
  if (json.contains("serial")) gpu.serial = json.at("serial").get<std::string>();
  gpu.device_id = json.at("device_id").get<unsigned>();
  gpu.memory_bytes = json.at("memory_bytes").get<std::uint64_t>();
  if (json.contains("vgpu_types"))
    for (const auto& [number, name] : json.at("vgpu_types").items())
      gpu.vgpu_types.emplace(std::stoul(number), name.get<std::string>());
  if (json.contains("ecc")) gpu.ecc = read_switch(json.at("ecc"));
  gpu.hardware.stores_mode = json.value("stores_mode", false);
  for (const auto& profile : json.value("profiles", Json::array())) read_profile(profile, gpu);
  if (json.contains("mode")) gpu.mig.mode = read_switch(json.at("mode"));
  for (const auto& instance : json.value("instances", Json::array())) read_instance(instance, gpu);
  if (json.contains("scheduler")) gpu.scheduler = read_scheduler(json.at("scheduler"));
  if (json.contains("mixed_sizes")) gpu.mixed_sizes = json.at("mixed_sizes").get<bool>();
  if (json.contains("licensed")) gpu.workstation_licensed = json.at("licensed").get<bool>();
  gpu.vgpus = json.value("vgpus", 0U);
  gpu.held = json.value("held", false);
  gpu.bound = json.value("bound", 0U);
  gpu.resets = json.value("resets", 0U);
  gpu.handle = json.value("handle", std::uint64_t{0});
  return gpu;
}

Json write_gpu(const FakeGpu& gpu) {
  Json json{{"address", gpu.address.to_string()},
            {"uuid", gpu.uuid},
            {"name", gpu.name},
            {"device_id", gpu.device_id},
            {"memory_bytes", gpu.memory_bytes},
            {"stores_mode", gpu.hardware.stores_mode},
            {"mode", write_switch(gpu.mig.mode)},
            {"held", gpu.held},
            {"bound", gpu.bound},
            {"resets", gpu.resets},
            {"handle", gpu.handle}};
  if (gpu.serial) json["serial"] = *gpu.serial;
  for (const auto& [number, name] : gpu.vgpu_types) json["vgpu_types"][std::to_string(number)] = name;
  if (gpu.ecc) json["ecc"] = write_switch(*gpu.ecc);
  if (gpu.scheduler) json["scheduler"] = write_scheduler(*gpu.scheduler);
  if (gpu.mixed_sizes) json["mixed_sizes"] = *gpu.mixed_sizes;
  if (gpu.workstation_licensed) json["licensed"] = *gpu.workstation_licensed;
  json["vgpus"] = gpu.vgpus;
  json["profiles"] = Json::array();
  for (const auto& [kind, id] : gpu.profile_of_kind) {
    const auto found = std::ranges::find(gpu.hardware.profiles, id, &GpuInstanceProfile::id);
    json["profiles"].push_back(write_profile(kind, *found));
  }
  json["instances"] = Json::array();
  for (const auto& instance : gpu.mig.instances) json["instances"].push_back(write_instance(instance, gpu));
  return json;
}

}  // namespace

MigModel FakeGpu::model() {
  return {hardware, mig, is_alive};
}

void FakeDriver::renew_handles() {
  for (auto& gpu : gpus) {
    if (gpu.handle == 0) gpu.handle = next_handle++;
    std::map<Part, std::uint64_t> now;
    const auto keep = [&](const Part& part) {
      const auto old = gpu.parts.find(part);
      const bool known = old != gpu.parts.end() && old->second != 0;
      now[part] = known ? old->second : next_handle++;
    };
    for (const auto& instance : gpu.mig.instances) {
      keep({instance.id, std::nullopt});
      for (const auto& part : instance.compute_instances) keep({instance.id, part.id});
    }
    gpu.parts = std::move(now);
  }
}

void FakeDriver::restart(FakeGpu& gpu) {
  gpu.model().restart();
  if (gpu.ecc) gpu.ecc->current = gpu.ecc->pending;
  if (gpu.mixed_sizes) gpu.mixed_sizes = false;
  gpu.handle = 0;
}

FakeDriver read_driver(const Json& json) {
  FakeDriver driver;
  driver.privileged = json.value("privileged", ::geteuid() == 0);
  driver.struct_version = json.value("struct_version", 3U);
  for (const auto& gpu : json.at("gpus")) driver.gpus.push_back(read_gpu(gpu));
  for (const auto& fault : json.value("faults", Json::array()))
    driver.faults.push_back(
        {fault.at("function").get<std::string>(), fault.value("nth", 1U), fault.at("returns").get<int>()});
  driver.sessions = json.value("sessions", std::vector<int>{});
  driver.opened = json.value("opened", 0U);
  driver.next_handle = json.value("next_handle", std::uint64_t{1});
  driver.renew_handles();
  return driver;
}

Json write_driver(const FakeDriver& driver) {
  Json json{{"privileged", driver.privileged},
            {"struct_version", driver.struct_version},
            {"sessions", driver.sessions},
            {"opened", driver.opened},
            {"next_handle", driver.next_handle},
            {"gpus", Json::array()},
            {"faults", Json::array()}};
  for (const auto& gpu : driver.gpus) json["gpus"].push_back(write_gpu(gpu));
  for (const auto& fault : driver.faults)
    json["faults"].push_back({{"function", fault.function}, {"nth", fault.nth}, {"returns", fault.value}});
  return json;
}

namespace {

std::string read_all(int file) {
  std::string text;
  char part[4096];
  for (::ssize_t count = 0; (count = ::read(file, part, sizeof part)) > 0;)
    text.append(part, static_cast<std::size_t>(count));
  return text;
}

std::string read_boards() {
  std::ifstream file(kernel::boards_file);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

Locked::Locked() {
  const char* const given = std::getenv("GPUHOST_NVML_STATE");
  in_kernel_ = given == nullptr;
  file_ = ::open(in_kernel_ ? kernel::state_node : given, O_RDWR | O_CLOEXEC);
  if (file_ < 0 || ::flock(file_, LOCK_EX) != 0) return;
  text_ = read_all(file_);
  const auto json = Json::parse(in_kernel_ && text_.empty() ? read_boards() : text_, nullptr, false);
  if (json.is_discarded()) return;
  driver_ = read_driver(json);
  std::erase_if(driver_.sessions, [](int pid) { return !is_alive(pid); });
  if (in_kernel_) kernel::take_up(driver_, unbound_);
  valid_ = true;
}

Locked::~Locked() {
  if (file_ >= 0) ::close(file_);
}

void Locked::save() {
  if (in_kernel_) {
    if (!kernel::hand_down(driver_)) std::abort();
    std::ranges::copy(unbound_, std::back_inserter(driver_.gpus));
  }
  driver_.renew_handles();
  const std::string text = write_driver(driver_).dump(1) + "\n";
  if (text == text_) return;
  const bool emptied = in_kernel_ || ::ftruncate(file_, 0) == 0;
  if (!emptied || ::pwrite(file_, text.data(), text.size(), 0) != static_cast<::ssize_t>(text.size()))
    std::abort();
}

}  // namespace gpuhost::fake_nvml
