#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "document/diagnostics.hpp"
#include "kinds/host_limits.hpp"
#include "kinds/registry.hpp"

namespace {

/// Bytes are either decoded, or refused with at least one problem that can be printed.
template <class Decode>
void decoded_or_told(const std::string& text, Decode decode) {
  gpuhost::Diagnostics diagnostics;
  diagnostics.add_source({"fuzz.yaml", text});
  const auto decoded = decode(diagnostics);
  if (decoded.has_value() != diagnostics.empty()) std::abort();
  if (!decoded && diagnostics.render().empty()) std::abort();
}

}  // namespace

/// What people write: documents, and a host's own limits.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  decoded_or_told(text, [](auto& diagnostics) { return gpuhost::decode_document(diagnostics); });
  decoded_or_told(text, [](auto& diagnostics) { return gpuhost::decode_host_limits(diagnostics); });
  return 0;
}
