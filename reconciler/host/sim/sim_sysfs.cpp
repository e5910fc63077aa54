#include "host/sim/sim_sysfs.hpp"

namespace gpuhost {

Result<void> SimSysfs::write_attribute(const std::string& path, std::string_view text) {
  const auto real = files_.resolve(path);
  if (!real) return std::unexpected(real.error());
  if (auto answered = mdev_.write(*real, text)) return *std::move(answered);
  if (auto answered = vendor_.write(*real, text)) return *std::move(answered);
  if (auto answered = pci_.write(*real, text)) return *std::move(answered);
  return files_.write_attribute(*real, text);
}

Result<void> SimSysfs::append(const std::string& path, std::string_view text) {
  return files_.append(path, text);
}

Result<void> SimSysfs::copy(const std::string& from, const std::string& to, const std::string& sha256) {
  return files_.copy(from, to, sha256);
}

Result<void> SimSysfs::replace(const std::string& path, std::string_view content, unsigned mode) {
  return files_.replace(path, content, mode);
}

Result<void> SimSysfs::remove(const std::string& path) {
  return files_.remove(path);
}

}  // namespace gpuhost
