#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gpuhost {

/// One word of a kernel command line.
struct KernelWord {
  std::string key;                   ///< as written
  std::optional<std::string> value;  ///< as written, quotes included; nothing without `=`
};

/// The words of a kernel command line; blanks in double quotes do not separate.
/// Source: next_arg() in the kernel's lib/cmdline.c.
[[nodiscard]] std::vector<std::string> split_kernel_words(std::string_view line);

[[nodiscard]] KernelWord parse_kernel_word(std::string_view word);

/// Values of a key in order; `-` and `_` in keys are the same. A key without value counts as an empty one.
[[nodiscard]] std::vector<std::string> kernel_values(std::string_view line, std::string_view key);

}  // namespace gpuhost
