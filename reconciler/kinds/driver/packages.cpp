#include "kinds/driver/packages.hpp"

#include "base/text.hpp"

namespace gpuhost {

namespace {

constexpr const char* dpkg_status = "/var/lib/dpkg/status";

}  // namespace

NvidiaPackages parse_dpkg_status(std::string_view text) {
  NvidiaPackages packages;
  std::string name, version;
  bool installed = false;
  const auto end_paragraph = [&] {
    if (installed && name.contains("nvidia")) packages.insert_or_assign(name, version);
    name.clear();
    version.clear();
    installed = false;
  };
  for (const auto line : lines(text)) {
    const auto colon = line.find(':');
    if (trim(line).empty()) {
      end_paragraph();
    } else if (colon != std::string_view::npos && !line.starts_with(' ')) {
      const auto field = line.substr(0, colon);
      const auto value = trim(line.substr(colon + 1));
      if (field == "Package") name = value;
      if (field == "Version") version = value;
      // "want error status": install ok installed.
      if (field == "Status") installed = value.ends_with(" installed");
    }
  }
  end_paragraph();
  return packages;
}

bool is_manager_package(const std::string& name) {
  return name.starts_with("nvidia-vgpu-") && !name.contains("license");
}

bool is_driver_package(const std::string& name) {
  return name.starts_with("nvidia-linux-grid") || name.starts_with("nvidia-driver") ||
         name.starts_with("nvidia-dkms-") || name == "nvidia-kernel-dkms";
}

Result<NvidiaPackages> read_nvidia_packages(const FileReader& files) {
  const auto status = files.read(dpkg_status);
  if (status) return parse_dpkg_status(*status);
  if (status.error().kind != ErrorKind::not_found) return std::unexpected(status.error());
  for (const auto* database : {"/usr/lib/sysimage/rpm", "/var/lib/rpm"})
    if (files.exists(database).value_or(false))
      return fail(ErrorKind::unsupported, "which packages RPM has installed is not read by this version",
                  "ask with rpm -qa '*nvidia*'");
  return fail(ErrorKind::not_found, "the host has no package database that is known");
}

}  // namespace gpuhost
