#include "kinds/vgpu/params.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "base/text.hpp"

namespace gpuhost {

std::string vgpu_params_path(const Uuid& vgpu) {
  return fmt::format("/sys/bus/mdev/devices/{}/nvidia/vgpu_params", vgpu.to_string());
}

std::string vgpu_params_path(const PciAddress& function) {
  return fmt::format("/sys/bus/pci/devices/{}/nvidia/vgpu_params", function.to_string());
}

std::optional<unsigned> read_placement(const FileReader& files, const std::string& params_path) {
  const auto number = [](std::string_view text) {
    const auto parsed = parse_unsigned(trim(text));
    return parsed ? std::optional(static_cast<unsigned>(*parsed)) : std::nullopt;
  };
  const auto directory = params_path.substr(0, params_path.rfind('/'));
  if (const auto said = number(files.read(directory + "/placement_id").value_or(""))) return said;
  const auto params = parse_vgpu_params(files.read(params_path).value_or(""));
  const auto told = params.find(placement_param);
  return told == params.end() ? std::nullopt : number(told->second);
}

VgpuParams parse_vgpu_params(std::string_view text) {
  VgpuParams params;
  for (const auto part : split(trim(text), ',')) {
    const auto equals = part.find('=');
    if (equals == std::string_view::npos) continue;
    params.insert_or_assign(std::string(trim(part.substr(0, equals))),
                            std::string(trim(part.substr(equals + 1))));
  }
  return params;
}

std::string to_text(const VgpuParams& params) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : params) parts.push_back(fmt::format("{}={}", key, value));
  return parts.empty() ? " " : join(parts, ", ");
}

bool has_all(const VgpuParams& params, const VgpuParams& wanted) {
  return std::ranges::all_of(wanted, [&](const auto& param) {
    const auto found = params.find(param.first);
    return found != params.end() && found->second == param.second;
  });
}

}  // namespace gpuhost
