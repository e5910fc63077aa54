#include "base/text.hpp"
#include "host/state_record.hpp"
#include "kinds/display_mode/kind.hpp"

namespace gpuhost {

namespace {

constexpr const char* boot_id_path = "/proc/sys/kernel/random/boot_id";
constexpr StateRecord record{"/var/lib/gpuhost/display-modes.json", "remove it; gpuhost makes it again"};

}  // namespace

std::map<PciAddress, std::string> staged_modes(const FileReader& files) {
  std::map<PciAddress, std::string> staged;
  const auto known = record.read(files);
  const auto boot = files.read(boot_id_path);
  if (!known || known->is_null() || !boot || known->value("boot", "") != trim(*boot)) return staged;
  const auto modes = known->find("modes");
  if (modes == known->end() || !modes->is_object()) return staged;
  for (const auto& [name, mode] : modes->items())
    if (const auto address = PciAddress::parse(name); address && mode.is_string())
      staged.emplace(*address, mode.get<std::string>());
  return staged;
}

Result<void> stage_modes(const std::map<PciAddress, std::string>& modes, const FileReader& reader,
                         FileWriter& files) {
  const auto boot = reader.read(boot_id_path);
  if (!boot) return std::unexpected(boot.error());
  Json shown = Json::object();
  for (const auto& [address, mode] : modes) shown[address.to_string()] = mode;
  return record.write(reader, files, {{"boot", trim(*boot)}, {"modes", std::move(shown)}});
}

}  // namespace gpuhost
