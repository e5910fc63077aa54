#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "host/host.hpp"
#include "kinds/kernel_parameters/command_line.hpp"
#include "kinds/kernel_parameters/grub_drop_in.hpp"

namespace gpuhost {

struct BootEntry {
  std::string title;
  CommandLine command_line;
  std::string version = {};  ///< of the kernel; empty: the entry does not say
  std::string image = {};    ///< the kernel's file, of an entry in grub.cfg
  std::string id = {};       ///< the file's name, of a loader entry
  /// What the entry is made of: what stands between its braces in grub.cfg, or in its file.
  std::string body = {};
};

/// What the configuration says, which the entries are made from.
struct BootConfiguration {
  /// Each makes command lines, of this kernel or of later ones. With a drop-in: what it works on.
  std::vector<CommandLine> lines;
  std::optional<GrubDropIn> drop_in;
};

/// A trial of the boot entries: the next boot takes them, and each later one what ran before they changed,
/// until the trial is ended.
struct BootTrial {
  enum class State {
    none,
    to_come,    ///< the next boot takes the entries
    over,       ///< a boot has taken them: what ran before is the default
    not_taken,  ///< the host was booted and the loader has not taken them, since it cannot note that it did
  };
  /// An entry that stays the default. Empty: there is none.
  struct Fallback {
    std::string title;
    CommandLine command_line;
    std::string text;  ///< what the loader's configuration holds for it
  };
  State state = State::none;
  Fallback kept;
  /// What a trial that is begun now would keep: the entry that runs. An error: which that is cannot be told.
  Result<Fallback> to_keep = Fallback{};

  /// The boot that was to try the entries has been: without a word to the contrary the fallback is next.
  [[nodiscard]] bool has_been() const { return state == State::over || state == State::not_taken; }
};

/// How a host boots, as observed.
struct BootSetup {
  std::string loader;
  /// What will be booted, the default first, without recovery entries.
  Result<std::vector<BootEntry>> entries;
  Result<BootConfiguration> configuration;
  /// Turns the configuration into entries; empty: a change of the configuration is a change of the entries.
  std::vector<Command> rebuild = {};
  std::string rebuild_blocked = {};  ///< why the commands cannot run
  /// The entries are made of the configured line and nothing else: what only they hold is lost in a rebuild.
  bool entries_from_line = false;
  /// An error: entries cannot be tried here, and why.
  Result<BootTrial> trial = fail(ErrorKind::unsupported, "gpuhost knows no way to try its entries once");
};

/// A key as it is to be in the configuration.
struct ParameterChange {
  std::string key;
  Occurrences values;  ///< empty: absent
  /// No longer gpuhost's: with a drop-in the key leaves it, whatever it was before; else `values` are what
  /// was before.
  bool release = false;
};

/// One way of booting. Small on purpose: what differs between loaders and nothing else.
class BootLoader {
 public:
  virtual ~BootLoader() = default;
  [[nodiscard]] virtual BootSetup look(const HostView& host) const = 0;
  virtual Result<void> stage(const ParameterChange& change, Host& host) const = 0;
  /// Called when everything is staged.
  virtual Result<void> rebuild(Host& host) const;
  /// `text`: of the fallback that is kept from now on; empty: the entries are the default. `to_come`: the
  /// next boot tries them.
  virtual Result<void> set_trial(const std::string& text, bool to_come, Host& host) const;
};

/// The loader that boots this host; null if none that gpuhost knows is there.
[[nodiscard]] std::unique_ptr<BootLoader> find_boot_loader(const HostView& host);

/// Each is null if that loader does not boot this host.
[[nodiscard]] std::unique_ptr<BootLoader> find_proxmox_boot_tool(const HostView& host);
[[nodiscard]] std::unique_ptr<BootLoader> find_grubby(const HostView& host);
[[nodiscard]] std::unique_ptr<BootLoader> find_grub(const HostView& host);
[[nodiscard]] std::unique_ptr<BootLoader> find_kernel_install(const HostView& host);

/// False only when it is certainly not there.
[[nodiscard]] bool may_exist(const FileReader& files, const std::string& path);

/// Replaces a file by what `edit` makes of its text, unless that changes nothing.
Result<void> edit_file(Host& host, const std::string& path,
                       const std::function<Result<std::string>(const std::string&)>& edit);

/// The key's new values in a file that holds one kernel command line.
Result<void> edit_command_line_file(Host& host, const std::string& path, const ParameterChange& change);

}  // namespace gpuhost
