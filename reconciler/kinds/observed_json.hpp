#pragma once

#include "base/json.hpp"
#include "base/result.hpp"

namespace gpuhost {

/// How `observe` shows a part that could not be read.
[[nodiscard]] inline Json unknown_json(const Error& error) {
  return Json{{"unknown", error.message}};
}

/// For Finding::permission.
[[nodiscard]] inline bool lacks_permission(const Error& error) {
  return error.kind == ErrorKind::denied;
}

}  // namespace gpuhost
