#include "host/files.hpp"

#include <fmt/format.h>

namespace gpuhost {

Result<bool> FileReader::exists(const std::string& path) const {
  auto found = status(path);
  if (found) return true;
  if (found.error().kind == ErrorKind::not_found) return false;
  return fail(std::move(found));
}

Error other_digest(const std::string& path, const std::string& wanted, const std::string& found) {
  return {ErrorKind::mismatch, fmt::format("{} has the SHA-256 {}, and not {}", path, found, wanted),
          "fetch the file again, since it may be cut off or another one, or correct sha256"};
}

}  // namespace gpuhost
