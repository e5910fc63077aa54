#include "kinds/kernel_modules/driver_registry.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.hpp"

namespace gpuhost {

namespace {

constexpr std::string_view device_key = "pci";

/// What the option says of one GPU; of none before the first "pci=".
struct DeviceKeys {
  std::string device;  ///< as written
  std::vector<std::string> keys;
};

std::vector<DeviceKeys> parse(std::string_view option) {
  std::vector<DeviceKeys> devices;
  for (const auto part : split(option, ';')) {
    const auto word = trim(part);
    if (word.empty()) continue;
    const auto equals = word.find('=');
    if (word.substr(0, equals) == device_key && equals != std::string_view::npos) {
      devices.push_back({std::string(word.substr(equals + 1)), {}});
      continue;
    }
    if (devices.empty()) devices.emplace_back();
    devices.back().keys.emplace_back(word);
  }
  return devices;
}

void set_key(DeviceKeys& device, const DriverRegistryKey& key) {
  const auto word = fmt::format("{}={:#04x}", key.name, key.value);
  const auto old = std::ranges::find_if(
      device.keys, [&](const std::string& one) { return one.starts_with(key.name + "="); });
  if (old == device.keys.end())
    device.keys.push_back(word);
  else
    *old = word;
}

}  // namespace

std::string with_registry_keys(std::string_view option, const std::map<PciAddress, DriverRegistryKey>& keys) {
  auto devices = parse(option);
  for (const auto& [gpu, key] : keys) {
    auto device = std::ranges::find_if(
        devices, [&](const DeviceKeys& one) { return PciAddress::parse(one.device) == gpu; });
    if (device == devices.end()) device = devices.insert(devices.end(), {gpu.to_string(), {}});
    set_key(*device, key);
  }
  std::vector<std::string> words;
  for (const auto& device : devices) {
    if (!device.device.empty()) words.push_back(fmt::format("{}={}", device_key, device.device));
    words.insert(words.end(), device.keys.begin(), device.keys.end());
  }
  return join(words, ";");
}

}  // namespace gpuhost
