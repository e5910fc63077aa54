#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "host/host.hpp"
#include "host/sim/host_file.hpp"

namespace gpuhost {

/// A host that behaves as the kernel and systemd do, from a host file.
class SimHost {
 public:
  explicit SimHost(HostFile file);
  ~SimHost();
  SimHost(const SimHost&) = delete;
  SimHost& operator=(const SimHost&) = delete;

  [[nodiscard]] HostView view() const;
  [[nodiscard]] Host host();

  /// What the firmware, boot loader, kernel and systemd do: runtime state is lost, the configured command
  /// line becomes the running one, modules and units come up as configured.
  Result<void> reboot();

  /// The host as it is now, to be written back.
  [[nodiscard]] const HostFile& file() const;

  /// One call through a port that reads or changes the host.
  struct Access {
    std::string call;    ///< "files.replace", "modules.load" …
    std::string object;  ///< path, module, unit or program
    bool write = false;
  };
  [[nodiscard]] std::vector<Access> accesses() const;

  enum class Work { not_done, done };
  /// The `nth` call from now (1: the next) whose "call object" equals `call` fails with `error`, although it
  /// may have done its work, as a call that times out.
  void inject(const std::string& call, unsigned nth, Error error, Work work = Work::not_done);

  /// Called before each call; it must not use the host. What it throws comes out of the call, which then has
  /// done nothing: the caller ends there, as a process does that is killed.
  void watch(std::function<void(const Access&)> before_call);

  /// So many more threads of the caller's, or fewer, use the host side by side; there is one at first. What
  /// takes time makes its thread wait, and time passes when all of them do.
  void at_work(int more);

 private:
  struct World;
  std::unique_ptr<World> world_;
};

}  // namespace gpuhost
