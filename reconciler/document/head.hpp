#pragma once

#include <string_view>

#include "document/map_reader.hpp"

namespace gpuhost {

/// Whether a file's `apiVersion` and `kind` say that this version reads it as one of that kind; if not, which
/// is then reported, nothing else in it is worth a message.
[[nodiscard]] bool check_head(MapReader& file, std::string_view kind);

}  // namespace gpuhost
