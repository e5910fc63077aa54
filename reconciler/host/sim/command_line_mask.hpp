#pragma once

#include <string>
#include <string_view>

namespace gpuhost {

/// A kernel command line in which the value of every key that is not known to be harmless is "<masked>":
/// addresses, credentials, install sources and whatever nobody has heard of. All else stays byte for byte.
[[nodiscard]] std::string masked_command_line(std::string_view line);

/// What may be recorded of the file at `path`: text in which command lines are masked, and of boot loader
/// configuration only what says which kernels boot with which arguments, of the indexes of modules and
/// packages only NVIDIA's. Other files are returned as they are.
[[nodiscard]] std::string recordable(const std::string& path, const std::string& content);

}  // namespace gpuhost
