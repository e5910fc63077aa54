#include "host/sim/sim_files.hpp"

#include <algorithm>
#include <cerrno>
#include <ranges>
#include <type_traits>

#include <fmt/core.h>

#include "base/sha256.hpp"
#include "base/text.hpp"

namespace gpuhost {

namespace {

constexpr int link_limit = 40;  // MAXSYMLINKS of Linux

template <class T>
const T* as(const HostFile::Entry* entry) {
  return entry == nullptr ? nullptr : std::get_if<T>(entry);
}

Error unreadable(const HostFile::Unreadable& entry) {
  return Error{entry.permission ? ErrorKind::denied : ErrorKind::io, entry.reason};
}

std::unexpected<Error> not_there(std::string_view action, const std::string& path) {
  return std::unexpected(system_error(ENOENT, action, path));
}

/// Paths whose files the kernel makes: nobody can make, replace or remove one.
bool is_kernel_made(const std::string& path) {
  return path.starts_with("/proc/") || path.starts_with("/sys/");
}

std::string parent_of(const std::string& path) {
  return path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
}

/// The first key after everything below the directory `path`.
std::string end_of(const std::string& path) {
  return path + static_cast<char>('/' + 1);
}

std::string below(const std::string& path) {
  return path == "/" ? path : path + "/";
}

/// The parts that are still to come, the next one last, behind a path.
std::string with_rest(std::string path, const std::vector<std::string_view>& rest) {
  for (const auto part : std::views::reverse(rest)) path.append("/").append(part);
  return path;
}

}  // namespace

const HostFile::Entry* SimFiles::find(const std::string& path) const {
  const auto found = entries_.find(path);
  return found == entries_.end() ? nullptr : &found->second;
}

bool SimFiles::has_children(const std::string& path) const {
  const std::string prefix = below(path);
  const auto next = entries_.upper_bound(prefix);
  return next != entries_.end() && next->first.starts_with(prefix);
}

bool SimFiles::is_directory(const std::string& path) const {
  const auto* entry = find(path);
  return path == "/" || as<HostFile::Directory>(entry) != nullptr ||
         (as<HostFile::Text>(entry) == nullptr && as<HostFile::Large>(entry) == nullptr &&
          as<HostFile::Link>(entry) == nullptr && has_children(path));
}

std::size_t SimFiles::length_of_known_directories(const std::string& path) const {
  const auto shared_with = [&](const std::string& other) {
    const auto same = static_cast<std::size_t>(std::ranges::mismatch(path, other).in1 - path.begin());
    const bool is_inside = same == path.size() && same < other.size() && other[same] == '/';
    return is_inside ? same : path.rfind('/', same - 1);
  };
  const auto next = entries_.lower_bound(path);
  return std::max(next == entries_.end() ? 0 : shared_with(next->first),
                  next == entries_.begin() ? 0 : shared_with(std::prev(next)->first));
}

Result<std::string> SimFiles::resolve(const std::string& path, bool follow_last) const {
  if (!path.starts_with('/'))
    return fail(ErrorKind::invalid, fmt::format("'{}' is not an absolute path", path));
  std::vector<std::string_view> rest;  // the next one last
  const auto go_on_with = [&](std::string_view way) {
    const auto parts = split(way, '/');
    rest.insert(rest.end(), parts.rbegin(), parts.rend());
  };
  go_on_with(path);
  std::string at;
  constexpr auto untold = std::string::npos;
  auto known = untold;  // up to here `at` and `rest` are directories
  int links = 0;
  while (!rest.empty()) {
    const auto part = rest.back();
    rest.pop_back();
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      at.resize(at.empty() ? 0 : at.rfind('/'));
      known = untold;
      continue;
    }
    const auto parent = at.size();
    at.append("/").append(part);
    if (known == untold) known = length_of_known_directories(with_rest(at, rest));
    if (at.size() <= known) continue;
    const auto* link = as<HostFile::Link>(find(at));
    if (link == nullptr || (rest.empty() && !follow_last)) continue;
    if (++links > link_limit) return std::unexpected(system_error(ELOOP, "resolve", path));
    at.resize(link->target.starts_with('/') ? 0 : parent);
    go_on_with(link->target);
    known = untold;
  }
  return at.empty() ? Result<std::string>("/") : Result<std::string>(at);
}

Result<std::string> SimFiles::read(const std::string& path) const {
  const auto real = resolve(path);
  if (!real) return std::unexpected(real.error());
  const auto* entry = find(*real);
  if (const auto* text = as<HostFile::Text>(entry)) return text->content;
  if (const auto* hidden = as<HostFile::Unreadable>(entry)) return std::unexpected(unreadable(*hidden));
  if (as<HostFile::Device>(entry) != nullptr) {
    return fail(ErrorKind::io, fmt::format("cannot read {}: it is a device", path));
  }
  if (as<HostFile::Large>(entry) != nullptr) {
    return fail(ErrorKind::invalid, fmt::format("cannot read {}: it is larger than 16 MiB", path));
  }
  if (is_directory(*real)) return std::unexpected(system_error(EISDIR, "read", path));
  return not_there("read", path);
}

Result<std::vector<std::string>> SimFiles::list(const std::string& path) const {
  const auto real = resolve(path);
  if (!real) return std::unexpected(real.error());
  const auto* entry = find(*real);
  if (const auto* hidden = as<HostFile::Unreadable>(entry)) return std::unexpected(unreadable(*hidden));
  if (!is_directory(*real)) {
    if (entry != nullptr) return std::unexpected(system_error(ENOTDIR, "list", path));
    return not_there("list", path);
  }
  return names(*real);
}

std::vector<std::string> SimFiles::names(const std::string& path) const {
  const auto real = resolve(path);
  if (!real) return {};
  const std::string prefix = below(*real);
  std::vector<std::string> found;
  auto next = entries_.upper_bound(prefix);
  while (next != entries_.end() && next->first.starts_with(prefix)) {
    const auto end = next->first.find('/', prefix.size());
    found.push_back(next->first.substr(prefix.size(), end == std::string::npos ? end : end - prefix.size()));
    next = end == std::string::npos ? std::next(next) : entries_.lower_bound(end_of(prefix + found.back()));
  }
  std::ranges::sort(found);
  return found;
}

Result<std::string> SimFiles::link_target(const std::string& path) const {
  const auto real = resolve(path, false);
  if (!real) return std::unexpected(real.error());
  const auto* entry = find(*real);
  if (const auto* link = as<HostFile::Link>(entry)) return link->target;
  if (const auto* hidden = as<HostFile::Unreadable>(entry); hidden != nullptr && hidden->unseen) {
    return std::unexpected(unreadable(*hidden));
  }
  if (entry == nullptr && !is_directory(*real)) return not_there("read the link", path);
  return std::unexpected(system_error(EINVAL, "read the link", path));
}

Result<FileStatus> SimFiles::status(const std::string& path) const {
  using Type = FileStatus::Type;
  const auto real = resolve(path, false);
  if (!real) return std::unexpected(real.error());
  const auto* entry = find(*real);
  if (const auto* text = as<HostFile::Text>(entry)) return FileStatus{Type::regular, text->mode, 0};
  if (const auto* large = as<HostFile::Large>(entry)) return FileStatus{Type::regular, large->mode, 0};
  if (as<HostFile::Link>(entry) != nullptr) return FileStatus{Type::symlink, 0777, 0};
  if (as<HostFile::Device>(entry) != nullptr) return FileStatus{Type::other, 0600, 0};
  if (const auto* hidden = as<HostFile::Unreadable>(entry)) {
    if (hidden->unseen) return std::unexpected(unreadable(*hidden));
    return FileStatus{has_children(*real) ? Type::directory : Type::regular, 0400, 0};
  }
  if (is_directory(*real)) return FileStatus{Type::directory, 0755, 0};
  return not_there("look at", path);
}

Result<std::string> SimFiles::digest(const std::string& path) const {
  const auto real = resolve(path, false);
  if (!real) return std::unexpected(real.error());
  const auto* entry = find(*real);
  if (const auto* large = as<HostFile::Large>(entry)) return large->sha256;
  if (as<HostFile::Link>(entry) != nullptr) return std::unexpected(system_error(ELOOP, "read", path));
  const auto content = read(*real);
  if (!content) return content;
  return sha256(*content);
}

Result<void> SimFiles::write_attribute(const std::string& path, std::string_view text) {
  const auto real = resolve(path);
  if (!real) return std::unexpected(real.error());
  if (!is_kernel_made(*real)) {
    return fail(ErrorKind::invalid, fmt::format("cannot write {}: it is no attribute of the kernel", path));
  }
  const auto* entry = find(*real);
  if (const auto* hidden = as<HostFile::Unreadable>(entry)) return std::unexpected(unreadable(*hidden));
  if (as<HostFile::Text>(entry) == nullptr) {
    return is_directory(*real) ? std::unexpected(system_error(EISDIR, "write", path))
                               : not_there("write", path);
  }
  std::get<HostFile::Text>(entries_.at(*real)).content =
      std::string(text) + (text.ends_with('\n') ? "" : "\n");
  return {};
}

Result<void> SimFiles::append(const std::string& path, std::string_view text) {
  const auto old = read(path);
  if (!old && old.error().kind != ErrorKind::not_found) return std::unexpected(old.error());
  return replace(path, old.value_or("") + std::string(text), 0600);
}

Result<void> SimFiles::replace(const std::string& path, std::string_view content, unsigned mode) {
  const auto real = resolve(path);
  if (!real) return std::unexpected(real.error());
  if (auto replaceable = check_replaceable(*real, path); !replaceable) return replaceable;
  if (const auto* text = as<HostFile::Text>(find(*real))) mode = text->mode;
  put(*real, HostFile::Text{std::string(content), mode});
  return {};
}

Result<void> SimFiles::check_replaceable(const std::string& real, const std::string& path) const {
  if (is_kernel_made(real)) return std::unexpected(system_error(EACCES, "replace", path));
  if (is_directory(real)) return std::unexpected(system_error(EISDIR, "replace", path));
  for (std::string above = parent_of(real); above != "/"; above = parent_of(above)) {
    if (find(above) != nullptr && !is_directory(above)) {
      return std::unexpected(system_error(ENOTDIR, "replace", path));
    }
  }
  return {};
}

Result<void> SimFiles::copy(const std::string& from, const std::string& to, const std::string& sha256) {
  const auto found = digest(from);
  if (!found) return std::unexpected(found.error());
  if (*found != sha256) return std::unexpected(other_digest(from, sha256, *found));
  const auto real = resolve(to);
  if (!real) return std::unexpected(real.error());
  if (auto replaceable = check_replaceable(*real, to); !replaceable) return replaceable;
  auto copied = *find(*resolve(from, false));
  if (auto* large = std::get_if<HostFile::Large>(&copied)) large->mode = 0600;
  if (auto* text = std::get_if<HostFile::Text>(&copied)) text->mode = 0600;
  put(*real, std::move(copied));
  return {};
}

Result<void> SimFiles::remove(const std::string& path) {
  const auto real = resolve(path, false);
  if (!real) return std::unexpected(real.error());
  if (find(*real) == nullptr && !is_directory(*real)) return {};
  if (is_kernel_made(*real)) return std::unexpected(system_error(EACCES, "remove", path));
  if (is_directory(*real)) return std::unexpected(system_error(EISDIR, "remove", path));
  entries_.erase(*real);
  keep_parent(*real);
  return {};
}

void SimFiles::put(const std::string& path, HostFile::Entry entry) {
  const std::string real = resolve(parent_of(path)).value_or(parent_of(path));
  for (std::string above = real; above != "/"; above = parent_of(above)) {
    if (as<HostFile::Directory>(find(above)) != nullptr) entries_.erase(above);
  }
  const std::string full = below(real) + path.substr(path.rfind('/') + 1);
  if (std::holds_alternative<HostFile::Directory>(entry) && has_children(full)) return;
  entries_.insert_or_assign(full, std::move(entry));
}

void SimFiles::erase_tree(const std::string& path) {
  const bool had_parent = is_directory(parent_of(path));
  entries_.erase(entries_.lower_bound(path + "/"), entries_.lower_bound(end_of(path)));
  entries_.erase(path);
  if (had_parent) keep_parent(path);
}

std::optional<std::string> SimFiles::text(const std::string& path) const {
  auto content = read(path);
  return content ? std::optional(std::move(*content)) : std::nullopt;
}

void SimFiles::keep_parent(const std::string& path) {
  const std::string parent = parent_of(path);
  if (!is_directory(parent)) entries_.insert_or_assign(parent, HostFile::Directory{});
}

}  // namespace gpuhost
