#include "kinds/kernel_parameters/boot_loader.hpp"
#include "kinds/run_command.hpp"
#include "kinds/state_file.hpp"

namespace gpuhost {

namespace {

constexpr const char* program = "/usr/sbin/proxmox-boot-tool";
constexpr const char* uuids_path = "/etc/kernel/proxmox-boot-uuids";
constexpr const char* command_line_path = "/etc/kernel/cmdline";

/// The entries lie on EFI system partitions that are not mounted. So gpuhost remembers the command line of
/// the last refresh it knows of; while it never staged anything, the configuration is taken to be what was
/// refreshed. A configuration that differs from it was changed by gpuhost and not refreshed yet, or by
/// another hand, who may have refreshed: then the entries may be either.
constexpr StateFile refreshed{"/var/lib/gpuhost/boot-loader.json", "command_line"};

class ProxmoxBootTool final : public BootLoader {
 public:
  BootSetup look(const HostView& host) const override {
    BootSetup setup{
        "proxmox-boot-tool", std::vector<BootEntry>{}, BootConfiguration{}, {{{program, "refresh"}}}};
    if (!host.running)
      setup.rebuild_blocked = "commands do not run under --root; run proxmox-boot-tool refresh in the image";
    if (const auto uuids = host.files.read(uuids_path); !uuids) {
      // Whether the tool has this host's boot at all cannot be told.
      setup.entries = std::unexpected(uuids.error());
      setup.configuration = std::unexpected(uuids.error());
      return setup;
    }
    const auto configured = host.files.read(command_line_path);
    const auto known = refreshed.read(host.files);
    if (configured)
      setup.configuration->lines.emplace_back(*configured);
    else
      setup.configuration = std::unexpected(configured.error());
    if (!known)
      setup.entries = std::unexpected(known.error());
    else if (*known) {
      setup.entries->push_back({"as last refreshed", CommandLine(**known)});
      if (configured && *configured != **known)
        setup.entries->push_back({"as configured since", CommandLine(*configured)});
    } else if (configured)
      setup.entries->push_back({"all kernels", CommandLine(*configured)});
    else
      setup.entries = std::unexpected(configured.error());
    return setup;
  }

  Result<void> stage(const ParameterChange& change, Host& host) const override {
    const auto known = refreshed.read(host.view.files);
    if (!known) return std::unexpected(known.error());
    const auto configured = host.view.files.read(command_line_path);
    if (!configured) return std::unexpected(configured.error());
    auto before = known->value_or(*configured);
    // What another hand took out or changed since may be in the entries too: only a refresh can tell.
    if (CommandLine(before).of(change.key) == change.values)
      before = CommandLine(before).with(change.key, CommandLine(*configured).of(change.key)).text();
    if (before != *known)
      if (auto written = refreshed.write(host.view.files, host.files, before); !written) return written;
    return edit_command_line_file(host, command_line_path, change);
  }

  Result<void> rebuild(Host& host) const override {
    if (auto done = BootLoader::rebuild(host); !done) return done;
    const auto configured = host.view.files.read(command_line_path);
    if (!configured) return std::unexpected(configured.error());
    return refreshed.write(host.view.files, host.files, *configured);
  }
};

}  // namespace

std::unique_ptr<BootLoader> find_proxmox_boot_tool(const HostView& host) {
  const auto uuids = host.files.read(uuids_path);
  const bool initialised = uuids ? !uuids->empty() : uuids.error().kind != ErrorKind::not_found;
  // Without /etc/kernel/cmdline the tool sets up GRUB, from GRUB's defaults.
  if (!initialised || !may_exist(host.files, command_line_path)) return nullptr;
  return std::make_unique<ProxmoxBootTool>();
}

}  // namespace gpuhost
