#include "nvml/kernel_gpus.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/unique_fd.hpp"

namespace gpuhost::fake_nvml::kernel {

namespace {

std::vector<UniqueFd> opened_nodes;

std::string attribute_of(const FakeGpu& gpu, const char* name) {
  return fmt::format("/sys/bus/pci/devices/{}/lab/{}", gpu.address.to_string(), name);
}

std::string read(const FakeGpu& gpu, const char* name) {
  std::ifstream file(attribute_of(gpu, name));
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

unsigned number(const FakeGpu& gpu, const char* name) {
  unsigned value = 0;
  std::istringstream(read(gpu, name)) >> value;
  return value;
}

/// Zero, or the number of an error.
int write(const FakeGpu& gpu, const char* name, const std::string& text) {
  const UniqueFd file(::open(attribute_of(gpu, name).c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return errno;
  return ::write(file.get(), text.data(), text.size()) < 0 ? errno : 0;
}

/// Lines "ID PROFILE VGPUS" after the first.
void read_vgpus(FakeGpu& gpu) {
  std::istringstream lines(read(gpu, "partition"));
  std::string line;
  std::getline(lines, line);
  unsigned id = 0;
  std::string profile;
  for (unsigned vgpus = 0; lines >> id >> profile >> vgpus;)
    if (auto* instance = gpu.model().instance(id)) instance->vgpus = vgpus;
}

std::string partition_of(FakeGpu& gpu) {
  auto text = fmt::format("mode {}\n", gpu.mig.mode.current ? 1 : 0);
  for (const auto& instance : gpu.mig.instances)
    text += fmt::format("{} {}\n", instance.id, gpu.model().profile(instance.profile)->name);
  return text;
}

}  // namespace

void take_up(FakeDriver& driver, std::vector<FakeGpu>& unbound) {
  std::ranges::sort(driver.gpus, {}, &FakeGpu::address);
  for (auto& gpu : driver.gpus) {
    const unsigned bound = number(gpu, "bound");
    const unsigned resets = number(gpu, "resets");
    if (bound != gpu.bound) gpu.model().lose_instances();
    if (bound == gpu.bound && resets != gpu.resets) FakeDriver::restart(gpu);
    if (bound != gpu.bound || bound == 0) gpu.handle = 0;
    gpu.bound = bound;
    gpu.resets = resets;
    read_vgpus(gpu);
    gpu.vgpus = gpu.mig.mode.current ? 0 : number(gpu, "vgpus");
  }
  const auto gone =
      std::ranges::stable_partition(driver.gpus, [](const FakeGpu& gpu) { return gpu.bound != 0; });
  std::ranges::move(gone, std::back_inserter(unbound));
  driver.gpus.erase(gone.begin(), gone.end());
  driver.renew_handles();
}

bool hand_down(FakeDriver& driver) {
  return std::ranges::all_of(driver.gpus, [](FakeGpu& gpu) {
    return gpu.hardware.profiles.empty() || write(gpu, "partition", partition_of(gpu)) == 0;
  });
}

void open_nodes(const FakeDriver& driver) {
  const bool has_some = std::ranges::any_of(driver.gpus, [](const FakeGpu& gpu) { return gpu.bound != 0; });
  if (!has_some || !opened_nodes.empty()) return;
  opened_nodes.emplace_back(::open("/dev/nvidiactl", O_RDWR | O_CLOEXEC));
  for (const auto& gpu : driver.gpus) {
    std::string node = read(gpu, "node");
    if (!node.empty()) node.pop_back();
    opened_nodes.emplace_back(::open(node.c_str(), O_RDWR | O_CLOEXEC));
  }
}

void close_nodes() {
  opened_nodes.clear();
}

bool is_held(const FakeGpu& gpu) {
  const unsigned own = opened_nodes.empty() ? 0 : 1;
  return number(gpu, "opens") > own || number(gpu, "vgpus") > 0;
}

int reset(const FakeGpu& gpu) {
  return write(gpu, "reset_gpu", "1\n");
}

}  // namespace gpuhost::fake_nvml::kernel
