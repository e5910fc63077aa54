#include <algorithm>
#include <cerrno>

#include <fmt/format.h>
#include <unistd.h>

#include "nvml/call.hpp"
#include "nvml/kernel_gpus.hpp"

// Opening the library, and GPUs as such. The comments of nvml.h say what each function returns when:
// NVIDIA/go-nvml gen/nvml/nvml.h.

namespace gpuhost::fake_nvml {

std::atomic<unsigned> opened_here = 0;

std::optional<nvml::Return> take_fault(FakeDriver& driver, std::string_view function) {
  std::optional<nvml::Return> due;
  std::erase_if(driver.faults, [&](Fault& fault) {
    if (fault.function != function || --fault.nth > 0) return false;
    due = static_cast<nvml::Return>(fault.value);
    return true;
  });
  return due;
}

bool is_held(const FakeDriver& driver, const FakeGpu& gpu) {
  if (gpu.bound != 0) return kernel::is_held(gpu);
  return gpu.held || std::ranges::any_of(driver.sessions, [](int pid) { return pid != ::getpid(); });
}

nvml::Return meaning_of(MigRefusal refusal) {
  switch (refusal) {
    case MigRefusal::invalid:
      return nvml::invalid_argument;
    case MigRefusal::unsupported:
      return nvml::not_supported;
    case MigRefusal::in_use:
      return nvml::in_use;
    case MigRefusal::insufficient_resources:
      return nvml::insufficient_resources;
    case MigRefusal::not_found:
      return nvml::not_found;
  }
  return nvml::unknown;
}

namespace {

nvml::Return give_handle(const FakeGpu& gpu, nvml::Device* device) {
  if (device == nullptr) return nvml::invalid_argument;
  *device = handle_of<nvml::Device>(gpu.handle);
  return nvml::success;
}

nvml::Return give_switch(const std::optional<GpuSwitch>& state, unsigned* current, unsigned* pending) {
  if (current == nullptr || pending == nullptr) return nvml::invalid_argument;
  if (!state) return nvml::not_supported;
  *current = state->current ? 1 : 0;
  *pending = state->pending ? 1 : 0;
  return nvml::success;
}

nvml::Return open_library(const char* function) {
  ++opened_here;
  const auto opened = answer(function, Right::anybody, [](FakeDriver& driver) {
    kernel::open_nodes(driver);
    driver.sessions.push_back(::getpid());
    ++driver.opened;
    return nvml::success;
  });
  if (opened != nvml::success) --opened_here;
  return opened;
}

template <class Matches>
nvml::Return find_device(const char* function, nvml::Device* device, Matches matches) {
  return answer(function, Right::anybody, [&](FakeDriver& driver) {
    const auto found = std::ranges::find_if(driver.gpus, matches);
    return found == driver.gpus.end() ? nvml::not_found : give_handle(*found, device);
  });
}

nvml::Return restart_gpu(const char* bus_id) {
  Locked locked;
  if (!locked.valid()) return nvml::driver_not_loaded;
  auto& driver = locked.driver();
  const auto address = PciAddress::parse(bus_id);
  const auto gpu = std::ranges::find_if(driver.gpus, [&](const auto& one) { return one.address == address; });
  if (gpu == driver.gpus.end()) return nvml::not_found;
  if (locked.in_kernel()) {
    const int error = kernel::reset(*gpu);  // which the next call takes notice of
    return error == EBUSY ? nvml::in_use : error != 0 ? nvml::unknown : nvml::success;
  }
  if (gpu->held || !driver.sessions.empty()) return nvml::in_use;
  FakeDriver::restart(*gpu);
  locked.save();
  return nvml::success;
}

}  // namespace

}  // namespace gpuhost::fake_nvml

using namespace gpuhost;             // NOLINT(google-build-using-namespace)
using namespace gpuhost::fake_nvml;  // NOLINT(google-build-using-namespace)
using nvml::Device;
using nvml::Return;

extern "C" {

Return nvmlInit_v2() {
  return open_library("nvmlInit_v2");
}

Return nvmlInitWithFlags(unsigned /*flags*/) {
  return open_library("nvmlInitWithFlags");
}

Return nvmlShutdown() {
  const auto done = answer("nvmlShutdown", Right::anybody, [](FakeDriver& driver) {
    const auto own = std::ranges::find(driver.sessions, ::getpid());
    if (own != driver.sessions.end()) driver.sessions.erase(own);
    return nvml::success;
  });
  if (done == nvml::success && --opened_here == 0) kernel::close_nodes();
  return done;
}

const char* nvmlErrorString(Return value) {
  switch (value) {
    case nvml::success:
      return "Success";
    case nvml::uninitialized:
      return "Uninitialized";
    case nvml::invalid_argument:
      return "Invalid Argument";
    case nvml::not_supported:
      return "Not Supported";
    case nvml::no_permission:
      return "Insufficient Permissions";
    case nvml::not_found:
      return "Not Found";
    case nvml::insufficient_size:
      return "Insufficient Size";
    case nvml::driver_not_loaded:
      return "Driver Not Loaded";
    case nvml::in_use:
      return "In use by another client";
    case nvml::insufficient_resources:
      return "Insufficient Resources";
    case nvml::lib_rm_version_mismatch:
      return "Driver/library version mismatch";
    default:
      return "Unknown Error";
  }
}

Return nvmlDeviceGetCount_v2(unsigned* count) {
  return answer("nvmlDeviceGetCount_v2", Right::anybody, [&](FakeDriver& driver) {
    if (count == nullptr) return nvml::invalid_argument;
    *count = static_cast<unsigned>(driver.gpus.size());
    return nvml::success;
  });
}

Return nvmlDeviceGetHandleByIndex_v2(unsigned index, Device* device) {
  return answer("nvmlDeviceGetHandleByIndex_v2", Right::anybody, [&](FakeDriver& driver) {
    return index < driver.gpus.size() ? give_handle(driver.gpus[index], device) : nvml::invalid_argument;
  });
}

Return nvmlDeviceGetHandleByPciBusId_v2(const char* bus_id, Device* device) {
  const auto address = PciAddress::parse(bus_id == nullptr ? "" : bus_id);
  return find_device("nvmlDeviceGetHandleByPciBusId_v2", device,
                     [&](const FakeGpu& gpu) { return gpu.address == address; });
}

Return nvmlDeviceGetHandleByUUID(const char* uuid, Device* device) {
  return find_device("nvmlDeviceGetHandleByUUID", device,
                     [&](const FakeGpu& gpu) { return uuid != nullptr && gpu.uuid == uuid; });
}

Return nvmlDeviceGetPciInfo_v3(Device device, nvml::PciInfo* info) {
  return on_gpu("nvmlDeviceGetPciInfo_v3", Right::anybody, device, [&](FakeDriver&, FakeGpu& gpu) {
    constexpr unsigned vendor = 0x10de;
    *info = {};
    info->domain = gpu.address.domain;
    info->bus = gpu.address.bus;
    info->device = gpu.address.device;
    info->device_id = gpu.device_id << 16U | vendor;
    return give(fmt::format("{:08X}:{:02X}:{:02X}.0", info->domain, info->bus, info->device), info->bus_id,
                sizeof info->bus_id);
  });
}

Return nvmlDeviceGetUUID(Device device, char* uuid, unsigned size) {
  return on_gpu("nvmlDeviceGetUUID", Right::anybody, device,
                [&](FakeDriver&, FakeGpu& gpu) { return give(gpu.uuid, uuid, size); });
}

Return nvmlDeviceGetName(Device device, char* name, unsigned size) {
  return on_gpu("nvmlDeviceGetName", Right::anybody, device,
                [&](FakeDriver&, FakeGpu& gpu) { return give(gpu.name, name, size); });
}

Return nvmlDeviceGetSerial(Device device, char* serial, unsigned size) {
  return on_gpu("nvmlDeviceGetSerial", Right::anybody, device, [&](FakeDriver&, FakeGpu& gpu) {
    return gpu.serial ? give(*gpu.serial, serial, size) : nvml::not_supported;
  });
}

Return nvmlDeviceGetMemoryInfo(Device device, nvml::Memory* memory) {
  return on_gpu("nvmlDeviceGetMemoryInfo", Right::anybody, device, [&](FakeDriver&, FakeGpu& gpu) {
    *memory = {.total = gpu.memory_bytes, .free = gpu.memory_bytes, .used = 0};
    return nvml::success;
  });
}

Return nvmlDeviceGetEccMode(Device device, unsigned* current, unsigned* pending) {
  return on_gpu("nvmlDeviceGetEccMode", Right::anybody, device,
                [&](FakeDriver&, FakeGpu& gpu) { return give_switch(gpu.ecc, current, pending); });
}

Return nvmlDeviceSetEccMode(Device device, unsigned mode) {
  return on_gpu("nvmlDeviceSetEccMode", Right::root, device, [&](FakeDriver&, FakeGpu& gpu) {
    if (mode > 1) return nvml::invalid_argument;
    if (!gpu.ecc) return nvml::not_supported;
    gpu.ecc->pending = mode == 1;
    return nvml::success;
  });
}

Return nvmlDeviceGetMigMode(Device device, unsigned* current, unsigned* pending) {
  return on_gpu("nvmlDeviceGetMigMode", Right::anybody, device, [&](FakeDriver&, FakeGpu& gpu) {
    return give_switch(gpu.hardware.profiles.empty() ? std::nullopt : std::optional(gpu.mig.mode), current,
                       pending);
  });
}

Return nvmlDeviceSetMigMode(Device device, unsigned mode, Return* activation) {
  return on_gpu("nvmlDeviceSetMigMode", Right::root, device, [&](FakeDriver& driver, FakeGpu& gpu) {
    if (mode > 1 || activation == nullptr) return nvml::invalid_argument;
    const bool changes = gpu.mig.mode.current != (mode == 1);
    const auto set = gpu.model().set_mode(mode == 1, is_held(driver, gpu));
    if (!set && set.error() != MigRefusal::in_use) return meaning_of(set.error());
    *activation = set ? nvml::success : nvml::in_use;
    if (set && changes) gpu.handle = 0;  // it was reset for that
    return nvml::success;
  });
}

Return nvmlDeviceGetGridLicensableFeatures_v4(Device device, nvml::LicensableFeatures* features) {
  return on_gpu("nvmlDeviceGetGridLicensableFeatures_v4", Right::anybody, device,
                [&](FakeDriver&, FakeGpu& gpu) {
                  *features = {};
                  if (!gpu.workstation_licensed) return nvml::success;
                  constexpr int compute_feature = 4;  // NVML_GRID_LICENSE_FEATURE_CODE_COMPUTE
                  features->is_supported = 1;
                  features->count = 2;
                  features->features[0].code = compute_feature;
                  features->features[0].is_licensed = 1;
                  features->features[1].code = nvml::workstation_feature;
                  features->features[1].is_licensed = *gpu.workstation_licensed ? 1 : 0;
                  return nvml::success;
                });
}

/// Not NVIDIA's: what nvidia-smi --gpu-reset does, for tests. in_use while anybody has it or the library
/// open.
Return gpuhost_test_reset(const char* bus_id) {
  return restart_gpu(bus_id);
}

}  // extern "C"
