#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "kinds/kernel_arguments.hpp"
#include "kinds/kernel_parameters/command_line.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const gpuhost::CommandLine line{std::string(text)};
  for (const auto& argument : gpuhost::parse_kernel_arguments(text)) {
    if (argument.begin >= argument.end || argument.end > size) __builtin_trap();
    // What was taken out is out, and what was there is found.
    if (line.of(argument.key).empty()) __builtin_trap();
    if (!line.with(argument.key, {}).of(argument.key).empty()) __builtin_trap();
  }
  return 0;
}
