#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "document/map_reader.hpp"

namespace gpuhost {

/// The texts of a list; none if absent.
[[nodiscard]] std::vector<std::string> words_in(const Value& value);

[[nodiscard]] bool is_true(const Value& value);

/// Why something is unknown: a reason, or {reason, kind, advice}.
[[nodiscard]] std::optional<Error> decode_error(const Value& value);

}  // namespace gpuhost
