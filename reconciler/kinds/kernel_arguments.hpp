#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gpuhost {

/// One word of a kernel command line or of a module's options.
struct KernelArgument {
  std::string key;                   ///< as written
  std::optional<std::string> value;  ///< without its quotes; nothing: the key stands alone
  std::size_t begin = 0;             ///< where the word starts in the text
  std::size_t end = 0;               ///< one past its end
};

/// The words up to a lone `--`; what follows is init's. Source: kernel/params.c next_arg() and parse_args().
[[nodiscard]] std::vector<KernelArgument> parse_kernel_arguments(std::string_view text);

/// The word that the kernel reads back as this key and value: quoted where the value has blanks.
[[nodiscard]] std::string kernel_word(std::string_view key, const std::optional<std::string>& value);

}  // namespace gpuhost
