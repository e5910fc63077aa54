#include "kinds/kernel_parameters/boot_loader.hpp"

#include "kinds/run_command.hpp"

namespace gpuhost {

std::unique_ptr<BootLoader> find_boot_loader(const HostView& host) {
  // A host with proxmox-boot-tool has GRUB's tools too, one with grubby has grub2-mkconfig: the narrower
  // comes first.
  for (const auto find : {find_proxmox_boot_tool, find_grubby, find_grub, find_kernel_install})
    if (auto loader = find(host)) return loader;
  return nullptr;
}

Result<void> BootLoader::rebuild(Host& host) const {
  for (const auto& command : look(host.view).rebuild)
    if (auto done = run_to_success(host.commands, command); !done) return done;
  return {};
}

Result<void> BootLoader::set_trial(const std::string&, bool, Host&) const {
  return fail(ErrorKind::unsupported, "this boot loader cannot try its entries once");
}

bool may_exist(const FileReader& files, const std::string& path) {
  const auto there = files.exists(path);
  return !there || *there;
}

Result<void> edit_file(Host& host, const std::string& path,
                       const std::function<Result<std::string>(const std::string&)>& edit) {
  const auto text = host.view.files.read(path);
  if (!text) return std::unexpected(text.error());
  auto edited = edit(*text);
  if (!edited) return fail(std::move(edited));
  if (*edited == *text) return {};
  return host.files.replace(path, *edited);
}

Result<void> edit_command_line_file(Host& host, const std::string& path, const ParameterChange& change) {
  return edit_file(host, path, [&](const std::string& text) -> Result<std::string> {
    return CommandLine(text).with(change.key, change.values).text();
  });
}

}  // namespace gpuhost
