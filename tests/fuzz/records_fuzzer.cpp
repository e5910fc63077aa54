#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/journal.hpp"
#include "engine/ownership.hpp"
#include "engine/pending_phase.hpp"
#include "engine/trial.hpp"
#include "host/real/proc_modules.hpp"
#include "support/memory_host.hpp"

/// What gpuhost reads of its own, and of the kernel's tables.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  (void)gpuhost::parse_proc_modules(text);
  gpuhost::testing::MemoryHost host;
  host.put(gpuhost::Ownership::path, text);
  host.put(gpuhost::Journal::path, text);
  auto memory = host.host();
  if (const auto owned = gpuhost::Ownership::load(memory.view.files))
    (void)owned->store(memory.view.files, memory.files);
  host.put(gpuhost::pending_phases_path, text);
  (void)gpuhost::load_pending_phases(memory.view.files);
  host.put(gpuhost::trials_path, text);
  (void)gpuhost::load_trials(memory.view.files);
  (void)gpuhost::Journal::load(memory.view.files);
  return 0;
}
