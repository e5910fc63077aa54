#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "document/diagnostics.hpp"
#include "host/sim/host_file.hpp"

/// A host file that is accepted is written so that it is accepted again, as the same host.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  gpuhost::Diagnostics diagnostics;
  const auto source =
      diagnostics.add_source({"fuzz", std::string(reinterpret_cast<const char*>(data), size)});
  const auto host = gpuhost::decode_host_file(source, diagnostics);
  if (!host) {
    (void)diagnostics.render();
    return 0;
  }
  const auto written = gpuhost::write_host_file(*host);
  const auto again = gpuhost::decode_host_file(diagnostics.add_source({"written", written}), diagnostics);
  if (!again || gpuhost::write_host_file(*again) != written) std::abort();
  return 0;
}
