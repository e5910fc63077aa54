#pragma once

#include <array>
#include <vector>

#include "document/map_reader.hpp"
#include "host/sim/host_file.hpp"

namespace gpuhost {

inline constexpr std::array installer_faults = {
    Word<HostFile::Installer::Fault>{"does-nothing", HostFile::Installer::Fault::does_nothing},
    Word<HostFile::Installer::Fault>{"fails", HostFile::Installer::Fault::fails},
    Word<HostFile::Installer::Fault>{"hangs", HostFile::Installer::Fault::hangs},
    Word<HostFile::Installer::Fault>{"brings-broken-modules",
                                     HostFile::Installer::Fault::brings_broken_modules},
};

/// The section `installers`.
[[nodiscard]] std::vector<HostFile::Installer> decode_installers(const Value& value);

}  // namespace gpuhost
