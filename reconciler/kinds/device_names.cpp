#include "kinds/device_names.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace gpuhost {

Result<Uuid> identity_space(const FileReader& files) {
  const auto text = files.read("/etc/machine-id");
  if (!text) return std::unexpected(text.error());
  if (const auto space = Uuid::from_machine_id(trim(*text))) return *space;
  return fail(ErrorKind::invalid, "/etc/machine-id holds no machine id",
              "run systemd-machine-id-setup; the identity of vGPUs rests on it");
}

Uuid vgpu_uuid(const Uuid& space, std::string_view gpu, const NamedVgpus& vgpus, unsigned index) {
  if (index < vgpus.uuids.size()) return vgpus.uuids[index];
  return Uuid::from_name(space, fmt::format("{}/{}/{}", gpu, vgpus.name, index));
}

std::optional<VgpuReference> parse_vgpu_reference(std::string_view reference) {
  const auto parts = split(reference, '/');
  if (parts.size() < 2 || parts.size() > 3) return std::nullopt;
  const auto index = parts.size() == 3 ? parse_unsigned(parts[2]) : 0;
  if (!index) return std::nullopt;
  return VgpuReference{std::string(parts[0]), std::string(parts[1]), static_cast<unsigned>(*index)};
}

}  // namespace gpuhost
