#pragma once

#include <string>
#include <vector>

#include "base/json.hpp"

namespace gpuhost {

/// A value in one line, escaped for a terminal: `loaded`, `"two words"`, `[a, b]`, `{key: value}`, `(absent)`
/// for null, `unknown (reason)` for {"unknown": reason}.
[[nodiscard]] std::string value_text(const Json& value);

/// One line of a before-and-after table.
struct FieldLine {
  std::string label;  ///< escaped; empty for a value that has no parts
  std::string text;   ///< "unloaded -> loaded", or one value where nothing changes
};

/// What changes between two values, part by part; parts that stay as they are are left out. A boot-scoped
/// value
/// ({running, next_boot}) always shows both.
[[nodiscard]] std::vector<FieldLine> changed_fields(const Json& before, const Json& after);

/// A boot-scoped or plain value in one line: `running off, next boot on`.
[[nodiscard]] std::string observed_text(const Json& value);

}  // namespace gpuhost
