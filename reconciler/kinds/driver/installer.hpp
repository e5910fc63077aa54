#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "host/host.hpp"
#include "kinds/driver/driver.hpp"
#include "kinds/driver/packages.hpp"

namespace gpuhost {

/// What installs and removes packages on this host.
enum class PackageTool { none, apt_get, dnf, zypper };

[[nodiscard]] Result<PackageTool> find_package_tool(const FileReader& files);
[[nodiscard]] bool can_install(PackageTool tool, PackageSource::Form form);

inline constexpr const char* dkms = "/usr/sbin/dkms";

/// NVIDIA's own way to remove what a .run file installed, which it leaves behind.
inline constexpr const char* uninstaller = "/usr/bin/nvidia-uninstall";

/// A driver, and where it is installed from if that is known.
struct DriverPackage {
  std::string flavor;
  std::string version;
  std::optional<PackageSource> source = {};

  [[nodiscard]] Json to_json() const;
  /// Nothing: it is none.
  [[nodiscard]] static std::optional<DriverPackage> from(const Json& json);
};

/// What the running kernel would load, as its files tell; nothing: no driver.
[[nodiscard]] Result<std::optional<DriverPackage>> read_installed(const HostView& host);

/// Where a file is copied to before it is used, named by its content.
inline constexpr const char* sources_directory = "/var/lib/gpuhost/sources";
[[nodiscard]] std::string copy_of(const PackageSource& source);

/// Unattended. unsupported: the host has no tool for it.
[[nodiscard]] Result<Command> install_command(const DriverPackage& driver, const FileReader& files);

/// How the driver that is there came to the host.
struct Means {
  enum class By { nothing, runfile, packages, unknown };
  By by = By::nothing;
  std::vector<std::string> packages = {};  ///< for By::packages

  [[nodiscard]] Json to_json() const;
  [[nodiscard]] static Means from(const Json& json);
};

/// Of a driver that is installed. `packages`: what the package database has of NVIDIA's.
[[nodiscard]] Means read_means(const FileReader& files, const Result<NvidiaPackages>& packages);

[[nodiscard]] Result<Command> remove_command(const Means& means, const FileReader& files);

}  // namespace gpuhost
