#pragma once

#include <map>
#include <optional>
#include <string>

#include "document/map_reader.hpp"
#include "host/sim/host_file.hpp"

namespace gpuhost {

[[nodiscard]] bool is_scalar(const Value& value);

/// A scalar as it is written, whatever YAML takes it for; nothing if absent, or reported if it is no scalar.
[[nodiscard]] std::optional<std::string> decode_text(const Value& value);

/// The section `files`: a path ending in `/` holds the entries of that directory, any other path is one
/// entry.
[[nodiscard]] std::map<std::string, HostFile::Entry> decode_host_entries(const Value& files);

}  // namespace gpuhost
