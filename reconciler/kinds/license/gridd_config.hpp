#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "host/files.hpp"

namespace gpuhost {

/// The licence daemon's configuration: comments and lines KEY=VALUE. Lines that are not asked for stay byte
/// for byte, whatever they are.
///
/// Source: NVIDIA Virtual GPU Client Licensing User Guide, "Configuring a Licensed Client on Linux", and the
/// comments in /etc/nvidia/gridd.conf.template.
class GriddConfig {
 public:
  static constexpr const char* path = "/etc/nvidia/gridd.conf";

  /// No file is one without lines.
  [[nodiscard]] static Result<GriddConfig> read(const FileReader& files);

  /// The lines that set the key, as they stand there. Which of several counts is documented nowhere.
  [[nodiscard]] std::vector<std::string> lines_of(std::string_view key) const;
  /// Without quotes around it; nothing: no line, or several.
  [[nodiscard]] std::optional<std::string> value_of(std::string_view key) const;
  /// Puts the line in the place of the one that sets the key, or where its line belongs; nothing: takes that
  /// one out.
  void set(std::string_view key, const std::optional<std::string>& line);
  /// Writes the file, or removes it when it says nothing at all.
  Result<void> write(FileWriter& files) const;

 private:
  std::vector<std::string> lines_;
};

/// The keys that gpuhost sets.
namespace gridd_key {
inline constexpr std::string_view server = "ServerAddress";
inline constexpr std::string_view port = "ServerPort";
inline constexpr std::string_view feature = "FeatureType";
/// The folder of the token.
inline constexpr std::string_view token_folder = "ClientConfigTokenPath";
}  // namespace gridd_key
inline constexpr std::array gridd_keys{gridd_key::server, gridd_key::port, gridd_key::feature,
                                       gridd_key::token_folder};

/// Whether it is one line, and sets the key.
[[nodiscard]] bool sets_gridd_key(std::string_view line, std::string_view key);

/// Where the daemon looks for a token that no folder is named for.
inline constexpr const char* default_token_folder = "/etc/nvidia/ClientConfigToken";

/// FeatureType of virtual workstations. Source: NVIDIA GPU Operator documentation, "NVIDIA vGPU": 0 is
/// unlicensed, 1 a vGPU, 2 RTX Virtual Workstation, 4 Virtual Compute Server.
inline constexpr const char* workstation_feature_type = "2";

}  // namespace gpuhost
