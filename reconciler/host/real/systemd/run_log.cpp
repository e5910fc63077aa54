#include "host/real/systemd/run_log.hpp"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/real/command_environment.hpp"
#include "host/real/rooted_directory.hpp"

namespace gpuhost {

namespace {

constexpr const char* folder = "/run/gpuhost/runs";

}  // namespace

Result<RunLog> RunLog::make(const std::string& unit) {
  auto directory = RootedDirectory("/").open_or_make_directory(folder);
  if (!directory) return fail(std::move(directory));
  if (::fchmod(directory->get(), 0700) != 0)
    return std::unexpected(system_error(errno, "set the mode of", folder));
  auto name = unit + ".log";
  UniqueFd file(
      ::openat(directory->get(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return std::unexpected(system_error(errno, "make", std::string(folder) + "/" + name));
  return RunLog(std::move(*directory), std::move(name), std::move(file));
}

std::string RunLog::path() const {
  return std::string(folder) + "/" + name_;
}

Result<std::string> RunLog::tail() const {
  struct stat found{};
  if (::fstat(file_.get(), &found) != 0) return std::unexpected(system_error(errno, "look at", path()));
  const auto size = static_cast<std::size_t>(found.st_size);
  std::string output(std::min(size, command_output_limit), '\0');
  const auto count =
      ::pread(file_.get(), output.data(), output.size(), static_cast<off_t>(size - output.size()));
  if (count < 0) return std::unexpected(system_error(errno, "read", path()));
  output.resize(static_cast<std::size_t>(count));
  return output;
}

void RunLog::remove() const {
  ::unlinkat(directory_.get(), name_.c_str(), 0);
}

}  // namespace gpuhost
