#pragma once

#include <filesystem>

namespace gpuhost::testing {

/// The checkout that the tests were built from. Not a macro: it would keep a compiler cache from serving
/// one checkout what another has compiled.
std::filesystem::path source_folder();

}  // namespace gpuhost::testing
