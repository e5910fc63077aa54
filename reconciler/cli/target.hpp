#pragma once

#include <memory>
#include <string>

#include "cli/options.hpp"
#include "cli/output.hpp"
#include "host/real/real_host.hpp"
#include "host/sim/sim_host.hpp"

namespace gpuhost {

/// The host that a verb works on: the live machine, a directory (--root), or a simulator of a host file
/// (--host). With --scope devices neither libvirt nor the system bus is asked for anything: at that time in a
/// boot both wait for this run.
class Target {
 public:
  ~Target();
  Target(Target&&) noexcept;
  Target& operator=(Target&&) noexcept;
  /// Reads the host file, if one is given; looks at nothing else.
  [[nodiscard]] static OrExit<Target> open(const Options& options);

  [[nodiscard]] HostView view() const;
  [[nodiscard]] Host host();
  [[nodiscard]] bool simulated() const { return sim_ != nullptr; }
  /// The host file as it is now, of a simulator; null for a real host.
  [[nodiscard]] const HostFile* host_file() const { return sim_ ? &sim_->file() : nullptr; }
  /// On a simulator: returns when the host is up again; on the live host: when the restart is under way.
  Result<void> reboot();
  /// A trial that is not confirmed within this time will be undone, whatever becomes of this process.
  /// unavailable: nobody would do it. A simulator's time stands still between runs: only its boot ends one.
  Result<void> undo_later(std::chrono::seconds within);
  /// The trial is over. Done when nothing is left that would undo it.
  Result<void> cancel_undo();
  /// Writes a simulated host back if it has changed, or wherever --host-out says. Nothing to do for a real
  /// one.
  Result<void> save();

 private:
  Target();
  std::unique_ptr<RealHost> real_;
  std::unique_ptr<SimHost> sim_;
  struct EarlyPorts;
  std::unique_ptr<EarlyPorts> early_;  ///< null: the host is up
  std::string original_;               ///< of the simulated host, as it would have been written
  std::string host_file_;
  std::string host_out_;
};

/// Writes a file that only its owner may read, in place of one that others may.
Result<void> write_private_file(const std::string& path, const std::string& content);

/// Writes a file of the machine that gpuhost runs on, atomically.
Result<void> write_local_file(const std::string& path, const std::string& content);

}  // namespace gpuhost
