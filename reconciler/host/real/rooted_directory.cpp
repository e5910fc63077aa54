#include "host/real/rooted_directory.hpp"

#include <cerrno>
#include <climits>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace gpuhost {

namespace {

constexpr unsigned link_limit = 40;  // as the kernel's own, path_resolution(7)

struct SplitPath {
  std::string directory;
  std::string name;
};

SplitPath split_path(const std::string& path) {
  const auto slash = path.rfind('/');
  return {path.substr(0, slash == 0 ? 1 : slash), path.substr(slash + 1)};
}

Result<void> check_absolute(const std::string& path) {
  if (path.starts_with('/') && path.find('\0') == std::string::npos) return {};
  return fail(ErrorKind::invalid, fmt::format("path '{}' is not absolute", path));
}

/// What the link `name` in `directory` points at, empty if it is no link or not there.
Result<std::string> link_target_of(const RootedDirectory::Entry& entry, const std::string& path) {
  std::string target(PATH_MAX, '\0');
  const auto length = ::readlinkat(entry.directory.get(), entry.name.c_str(), target.data(), target.size());
  if (length < 0 && errno != EINVAL && errno != ENOENT)
    return std::unexpected(system_error(errno, "read link", path));
  target.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
  return target;
}

}  // namespace

RootedDirectory::RootedDirectory(const std::string& directory) {
  UniqueFd opened(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (opened)
    root_ = std::move(opened);
  else
    root_ = std::unexpected(system_error(errno, "open root directory", directory));
}

Result<UniqueFd> RootedDirectory::open(const std::string& path, int flags, const char* action) const {
  if (!root_) return std::unexpected(root_.error());
  if (auto absolute = check_absolute(path); !absolute) return fail(std::move(absolute));
  open_how how{};
  how.flags = static_cast<unsigned>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_IN_ROOT;
  // EAGAIN: a rename or mount elsewhere happened while ".." was resolved; openat2(2) says to try again.
  long opened = -1;
  for (unsigned attempt = 0; attempt < 32; ++attempt) {
    opened = ::syscall(SYS_openat2, root_->get(), path.c_str(), &how, sizeof how);
    if (opened >= 0) return UniqueFd(static_cast<int>(opened));
    if (errno != EAGAIN && errno != EINTR) break;
  }
  auto error = system_error(errno, action, path);
  if (error.kind == ErrorKind::unsupported)
    error.advice = "gpuhost needs openat2(2), in Linux since version 5.6";
  return std::unexpected(std::move(error));
}

Result<UniqueFd> RootedDirectory::open_or_make_directory(const std::string& path) const {
  auto there = open(path, O_RDONLY | O_DIRECTORY, "open directory");
  if (there || there.error().kind != ErrorKind::not_found || path == "/") return there;
  const auto [above, name] = split_path(path);
  auto parent = open_or_make_directory(above);
  if (!parent) return parent;
  const bool made = ::mkdirat(parent->get(), name.c_str(), 0755) == 0;
  if (!made && errno != EEXIST) return std::unexpected(system_error(errno, "make directory", path));
  // The mode that mkdirat gave went through the umask.
  if (made && ::fchmodat(parent->get(), name.c_str(), 0755, 0) != 0)
    return std::unexpected(system_error(errno, "set the mode of directory", path));
  return open(path, O_RDONLY | O_DIRECTORY, "open directory");
}

Result<RootedDirectory::Entry> RootedDirectory::entry(const std::string& path, Parents parents) const {
  if (auto absolute = check_absolute(path); !absolute) return fail(std::move(absolute));
  auto [above, name] = split_path(path);
  if (name.empty() || name == "." || name == "..")
    return fail(ErrorKind::invalid, fmt::format("path '{}' does not name a file", path));
  auto directory = parents == Parents::make ? open_or_make_directory(above)
                                            : open(above, O_RDONLY | O_DIRECTORY, "open directory");
  if (!directory) return fail(std::move(directory));
  return Entry{std::move(*directory), std::move(name)};
}

Result<RootedDirectory::Entry> RootedDirectory::entry_behind_links(const std::string& path,
                                                                   Parents parents) const {
  auto followed = path;
  auto found = entry(path, parents);
  for (unsigned hops = 0; found && hops < link_limit; ++hops) {
    auto target = link_target_of(*found, followed);
    if (!target) return fail(std::move(target));
    if (target->empty()) return found;
    followed = target->starts_with('/') ? *target : split_path(followed).directory + "/" + *target;
    found = entry(followed, Parents::must_exist);
  }
  if (!found) return found;
  return std::unexpected(system_error(ELOOP, "follow", path));
}

}  // namespace gpuhost
