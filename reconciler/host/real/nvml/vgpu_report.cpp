#include "host/real/nvml/vgpu_report.hpp"

#include <vector>

#include "host/real/nvml/read_all.hpp"

namespace gpuhost::nvml {

/// Without NVIDIA's vGPU manager the driver supports none, or does not know the question.
Observed<std::map<unsigned, std::string>> read_vgpu_types(const Session& session, Device device) {
  using Types = std::map<unsigned, std::string>;
  const auto& nvml = session.library();
  std::vector<VgpuTypeId> ids;
  const auto listed = read_all(
      ids, [&](unsigned* count, VgpuTypeId* types) { return nvml.supported_vgpus(device, count, types); });
  if (listed == not_supported || listed == function_not_found) return Observed<Types>::absent();
  if (listed != success)
    return Observed<Types>::unknown(session.error(listed, "read the vGPU types of a GPU").message);
  Types types;
  for (const auto id : ids) {
    char name[name_size] = {};
    auto size = static_cast<unsigned>(name_size);
    const auto named = nvml.vgpu_type_name(id, name, &size);
    if (named != success)
      return Observed<Types>::unknown(session.error(named, "read the name of a vGPU type").message);
    name[name_size - 1] = '\0';
    types.emplace(id, name);
  }
  if (types.empty()) return Observed<Types>::absent();
  return types;
}

}  // namespace gpuhost::nvml
