#include "kinds/kernel_modules/initramfs.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include "base/text.hpp"
#include "kinds/run_command.hpp"
#include "kinds/state_file.hpp"

namespace gpuhost {

namespace {

/// Compressing one image for each kernel takes a while on a slow disk.
constexpr std::chrono::minutes limit{20};

constexpr StateFile record{"/var/lib/gpuhost/initramfs.json", "modprobe_sha256"};

const std::vector<std::vector<std::string>>& generators() {
  static const std::vector<std::vector<std::string>> all{
      {"/usr/sbin/update-initramfs", "-u", "-k", "all"},
      {"/usr/bin/dracut", "--regenerate-all", "--force"},
      {"/usr/bin/mkinitcpio", "-P"},
  };
  return all;
}

bool has_image(const FileReader& files) {
  const auto names = files.list("/boot");
  if (!names) return names.error().kind != ErrorKind::not_found;
  return std::ranges::any_of(*names, [](const std::string& name) {
    return name.starts_with("initrd") || name.starts_with("initramfs");
  });
}

}  // namespace

std::optional<Initramfs> find_initramfs(const HostView& host) {
  if (!host.running && !has_image(host.files)) return std::nullopt;
  for (const auto& argv : generators()) {
    const auto there = host.files.exists(argv.front());
    if (there && !*there) continue;
    const auto known = record.read(host.files);
    Initramfs found{.refresh = {argv, limit}, .copied = std::string{}};
    if (known)
      found.copied = known->value_or("");
    else
      found.copied = std::unexpected(known.error());
    if (!host.running)
      found.blocked = "commands do not run under --root; run " + join(argv, " ") + " in the image";
    else if (!there)
      found.blocked = "cannot tell which generator of the initramfs there is: " + there.error().message;
    return found;
  }
  return std::nullopt;
}

Result<void> refresh_initramfs(Host& host, const std::string& digest) {
  const auto initramfs = find_initramfs(host.view);
  if (!initramfs) return fail(ErrorKind::not_found, "no generator of the initramfs is here");
  if (auto done = run_to_success(host.commands, initramfs->refresh); !done) return done;
  return record.write(host.view.files, host.files, digest);
}

}  // namespace gpuhost
