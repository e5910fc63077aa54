#pragma once

#include <optional>
#include <string>

#include "document/map_reader.hpp"

namespace gpuhost {

/// Where a driver is installed from.
struct PackageSource {
  enum class Form { runfile, package, deb, rpm };
  Form form = Form::package;
  std::string what;    ///< absolute path of a file, or the name of a package
  std::string sha256;  ///< of the file, in lower case; empty for a package, which its repository vouches for
};

/// Nothing if absent or on any problem, which is then reported.
[[nodiscard]] std::optional<PackageSource> decode_package_source(const Value& source);

}  // namespace gpuhost
