#pragma once

#include <optional>
#include <string>

#include "host/host.hpp"

namespace gpuhost {

/// The early user space, which has its own copy of modprobe.d.
struct Initramfs {
  Command refresh;
  /// Digest of gpuhost's modprobe.d file in the copy, as far as gpuhost knows; empty: the copy has none.
  Result<std::string> copied;
  std::string blocked;  ///< why the command cannot run
};

/// Nothing: the host makes none, or, of a host that does not run, has none yet.
[[nodiscard]] std::optional<Initramfs> find_initramfs(const HostView& host);

/// Makes the copy anew and remembers the digest of what went into it.
Result<void> refresh_initramfs(Host& host, const std::string& digest);

}  // namespace gpuhost
