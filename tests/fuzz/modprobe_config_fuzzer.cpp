#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kinds/kernel_modules/modprobe_config.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  gpuhost::ModprobeConfig config;
  config.add(text, "fuzz.conf");
  for (const auto& [module, file] : config.blacklisted) (void)config.blocks(module);
  (void)gpuhost::parse_module_list(text);
  return 0;
}
