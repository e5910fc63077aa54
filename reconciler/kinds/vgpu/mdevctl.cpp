#include "kinds/vgpu/mdevctl.hpp"

#include <fmt/format.h>

#include "base/json.hpp"

namespace gpuhost {

namespace {

constexpr const char* definitions_directory = "/etc/mdevctl.d";

std::vector<std::string> names_in(const FileReader& files, const std::string& directory) {
  return files.list(directory).value_or(std::vector<std::string>{});
}

/// {"mdev_type": "nvidia-468", "start": "auto", "attrs": []}
bool starts_by_itself(const std::string& text) {
  const auto definition = Json::parse(text, nullptr, false);
  if (!definition.is_object()) return false;
  const auto start = definition.find("start");
  return start != definition.end() && *start == "auto";
}

}  // namespace

std::vector<MdevctlStart> read_mdevctl_starts(const FileReader& files,
                                              const std::function<bool(const PciAddress&)>& of_interest) {
  std::vector<MdevctlStart> starts;
  for (const auto& name : names_in(files, definitions_directory)) {
    const auto parent = PciAddress::parse(name);
    if (!parent || !of_interest(*parent)) continue;
    const auto directory = fmt::format("{}/{}", definitions_directory, name);
    for (const auto& uuid : names_in(files, directory)) {
      auto path = fmt::format("{}/{}", directory, uuid);
      if (starts_by_itself(files.read(path).value_or(""))) starts.push_back({*parent, uuid, std::move(path)});
    }
  }
  return starts;
}

}  // namespace gpuhost
