#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "host/files.hpp"

namespace gpuhost {

/// Versions of the installed packages whose name has "nvidia" in it, by name.
using NvidiaPackages = std::map<std::string, std::string>;

/// From the text of dpkg's status file. Source: deb-control(5), dpkg-query(1).
[[nodiscard]] NvidiaPackages parse_dpkg_status(std::string_view text);

/// The manager, and the drivers for guests and bare metal: each brings the host's modules. Source: NVIDIA
/// vGPU software user guide, "Installing the NVIDIA vGPU Software Graphics Driver".
[[nodiscard]] bool is_manager_package(const std::string& name);
[[nodiscard]] bool is_driver_package(const std::string& name);

/// not_found: the host has no package database that is known. unsupported: it has one of RPM, which is not
/// read.
[[nodiscard]] Result<NvidiaPackages> read_nvidia_packages(const FileReader& files);

}  // namespace gpuhost
