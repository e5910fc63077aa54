#pragma once

#include <string>
#include <string_view>

namespace gpuhost {

/// What /proc/cpuinfo says of the first processor.
struct Processor {
  enum class Extension { none, intel_vt_x, amd_v };
  std::string vendor;  ///< GenuineIntel, AuthenticAMD …; empty if there is none
  std::string model;
  Extension extension = Extension::none;
  bool lists_flags = false;       ///< false on architectures that name no x86 flags
  bool under_hypervisor = false;  ///< the host is itself a guest
};

[[nodiscard]] Processor parse_cpuinfo(std::string_view text);

}  // namespace gpuhost
