#include "host/real/proc_processes.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <memory>
#include <optional>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/text.hpp"
#include "base/unique_fd.hpp"

namespace gpuhost {

namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

/// Null with errno set if it cannot be opened.
Directory open_directory(int at, const char* name) {
  const int fd = ::openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return Directory(fd < 0 ? nullptr : ::fdopendir(fd));
}

/// The next name but "." and "..", or null.
const char* next_name(DIR* directory) {
  while (const auto* const entry = ::readdir(directory)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") return entry->d_name;
  }
  return nullptr;
}

std::string read_file(int at, const char* name) {
  const UniqueFd file(::openat(at, name, O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 4096> part;
  for (ssize_t count = 0; file && (count = ::read(file.get(), part.data(), part.size())) > 0;)
    text.append(part.data(), static_cast<std::size_t>(count));
  return text;
}

bool is_device_node(std::string_view path) {
  const auto below = [&](std::string_view folder) { return path.starts_with(folder); };
  return below("/dev/nvidia") || below("/dev/dri/") || (below("/dev/vfio/") && path != "/dev/vfio/vfio");
}

/// Whether the folder, "/dev" or one in it, has a node that is a device of ours.
bool has_device_node(const std::string& root, const std::string& folder) {
  const auto directory = open_directory(AT_FDCWD, (root + folder).c_str());
  if (!directory) return false;
  while (const char* const name = next_name(directory.get()))
    if (is_device_node(folder + "/" + name)) return true;
  return false;
}

std::optional<int> process_id(std::string_view name) {
  int pid = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
  const bool whole = error == std::errc() && end == name.data() + name.size();
  return whole ? std::optional(pid) : std::nullopt;
}

/// The target of an open descriptor, without the remark that the node is gone since.
std::string descriptor_target(int directory, const char* name) {
  std::array<char, PATH_MAX> target;
  const auto length = ::readlinkat(directory, name, target.data(), target.size());
  std::string_view text(target.data(), length < 0 ? 0 : static_cast<std::size_t>(length));
  constexpr std::string_view gone = " (deleted)";
  if (text.ends_with(gone)) text.remove_suffix(gone.size());
  return std::string(text);
}

/// In order, each once. An error is errno's.
std::expected<std::vector<std::string>, int> open_devices(int process) {
  const auto descriptors = open_directory(process, "fd");
  if (!descriptors) return std::unexpected(errno);
  std::vector<std::string> devices;
  while (const char* const name = next_name(descriptors.get())) {
    auto target = descriptor_target(::dirfd(descriptors.get()), name);
    if (is_device_node(target)) devices.push_back(std::move(target));
  }
  std::ranges::sort(devices);
  const auto repeated = std::ranges::unique(devices);
  devices.erase(repeated.begin(), repeated.end());
  return devices;
}

/// The unified hierarchy's line is "0::/path", systemd's own is "1:name=systemd:/path" where it uses the
/// older ones; the one that says more than "/". Source: cgroups(7), "/proc/[pid]/cgroup".
std::string cgroup_in(std::string_view text) {
  std::string found;
  for (const std::string_view key : {"0::", ":name=systemd:"}) {
    for (const auto line : lines(text)) {
      const auto at = line.find(key);
      const bool named = at != std::string_view::npos && (at == 0) == (key == "0::");
      if (named && (found.empty() || found == "/")) found = line.substr(at + key.size());
    }
  }
  return found;
}

bool has_ended(int code) {
  return code == ENOENT || code == ESRCH;
}

/// What is found on the way through /proc.
struct Scan {
  std::vector<Process> users;
  bool first_process_shown = false;  ///< it always runs; else others may be hidden as well (hidepid=)
  bool some_unseen = false;
};

Result<void> look_at(int proc, const char* name, int pid, Scan& scan) {
  const UniqueFd process(::openat(proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC));
  auto devices = process ? open_devices(process.get())
                         : std::expected<std::vector<std::string>, int>(std::unexpected(errno));
  if (!devices && (devices.error() == EACCES || devices.error() == EPERM)) {
    scan.some_unseen = true;
    return {};
  }
  if (!devices && has_ended(devices.error())) return {};
  if (!devices)
    return std::unexpected(system_error(devices.error(), "read", fmt::format("/proc/{}/fd", pid)));
  if (devices->empty()) return {};
  const auto comm = read_file(process.get(), "comm");
  scan.users.push_back({.pid = pid,
                        .name = std::string(trim(comm)),
                        .cgroup = cgroup_in(read_file(process.get(), "cgroup")),
                        .devices = std::move(*devices)});
  return {};
}

}  // namespace

ProcProcesses::ProcProcesses(std::string root) : root_(std::move(root)) {}

Result<std::vector<Process>> ProcProcesses::device_users() const {
  const auto has_nodes = [&](const char* folder) { return has_device_node(root_, folder); };
  if (!std::ranges::any_of(std::array{"/dev", "/dev/vfio", "/dev/dri"}, has_nodes))
    return std::vector<Process>{};
  const auto path = root_ + "/proc";
  const auto proc = open_directory(AT_FDCWD, path.c_str());
  if (!proc) return std::unexpected(system_error(errno, "list", path));
  Scan scan;
  while (const char* const name = next_name(proc.get())) {
    const auto pid = process_id(name);
    if (!pid) continue;
    scan.first_process_shown |= *pid == 1;
    if (*pid == ::getpid()) continue;
    if (auto looked = look_at(::dirfd(proc.get()), name, *pid, scan); !looked) return fail(std::move(looked));
  }
  if (scan.some_unseen || !scan.first_process_shown)
    return fail(ErrorKind::denied, "cannot tell who uses the GPUs: not all processes may be looked at",
                "run as root");
  std::ranges::sort(scan.users, {}, &Process::pid);
  return std::move(scan.users);
}

}  // namespace gpuhost
