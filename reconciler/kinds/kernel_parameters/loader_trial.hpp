#pragma once

#include <string>
#include <vector>

#include "host/host.hpp"
#include "kinds/kernel_parameters/boot_loader.hpp"

namespace gpuhost {

/// How systemd-boot tries loader entries once: a copy of the one that runs is its default
/// (LoaderEntryDefault), and the first of `entries` is what it boots next (LoaderEntryOneShot, which it takes
/// away before it does). The copy names the default from before.
///
/// Sources: systemd.io/BOOT_LOADER_INTERFACE; bootctl(1), set-default and set-oneshot.
/// unsupported: that cannot be on this host, and why.
[[nodiscard]] Result<BootTrial> look_at_loader_trial(const std::string& directory,
                                                     const std::vector<BootEntry>& entries,
                                                     const HostView& host);

/// BootLoader::set_trial.
Result<void> set_loader_trial(const std::string& directory, const std::vector<BootEntry>& entries,
                              const std::string& text, bool to_come, Host& host);

}  // namespace gpuhost
