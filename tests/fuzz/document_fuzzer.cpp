#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "document/diagnostics.hpp"
#include "kinds/registry.hpp"

/// A document of any bytes is either decoded, or refused with at least one problem that can be printed.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  gpuhost::Diagnostics diagnostics;
  diagnostics.add_source({"fuzz.yaml", std::string(reinterpret_cast<const char*>(data), size)});
  const auto decoded = gpuhost::decode_document(diagnostics);
  if (decoded.has_value() != diagnostics.empty()) std::abort();
  if (!decoded && diagnostics.render().empty()) std::abort();
  return 0;
}
