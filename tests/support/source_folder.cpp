#include "support/source_folder.hpp"

namespace gpuhost::testing {

std::filesystem::path source_folder() {
  return GPUHOST_SOURCE_DIR;
}

}  // namespace gpuhost::testing
