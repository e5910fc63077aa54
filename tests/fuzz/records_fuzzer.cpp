#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/ownership.hpp"
#include "host/real/proc_modules.hpp"
#include "support/memory_host.hpp"

/// What gpuhost reads of its own, and of the kernel's tables.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  (void)gpuhost::parse_proc_modules(text);
  gpuhost::testing::MemoryHost host;
  host.put(gpuhost::Ownership::path, text);
  if (const auto owned = gpuhost::Ownership::load(host.host().view.files)) (void)owned->serialise();
  return 0;
}
