#include "host/files.hpp"

namespace gpuhost {

Result<bool> FileReader::exists(const std::string& path) const {
  auto found = status(path);
  if (found) return true;
  if (found.error().kind == ErrorKind::not_found) return false;
  return fail(std::move(found));
}

}  // namespace gpuhost
