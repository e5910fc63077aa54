#include "host/real/device_writes.hpp"

#include <array>
#include <cerrno>

#include <fmt/format.h>
#include <poll.h>

#include "host/real/boot_clock.hpp"
#include "host/real/deadline.hpp"
#include "host/real/spawn.hpp"

namespace gpuhost {

namespace {

constexpr int ended_by_signal = 128;

bool ended(const Spawned& child, const Deadline& deadline) {
  for (;;) {
    std::array<pollfd, 2> waiting{{{child.handle.get(), POLLIN, 0}, {deadline.fd(), POLLIN, 0}}};
    if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) return false;
    if (waiting[0].revents != 0) return true;
    if (deadline.passed()) return false;
  }
}

}  // namespace

Result<DeviceWrites::End> DeviceWrites::write(const UniqueFd& attribute, std::string_view text,
                                              AbandonedWrite request, const FileReader& proc) {
  {
    const std::lock_guard lock(mutex_);
    under_way_.insert(request.device);
  }
  const auto child = spawn({program_, std::string(text)}, attribute.get(), -1);
  if (child) request.started = process_start(child->pid, proc);
  const bool in_time = !child || ended(*child, Deadline(limit_));
  if (!in_time) {
    request.pid = child->pid;
    request.since = BootClock().utc_now();
  }
  {
    const std::lock_guard lock(mutex_);
    under_way_.extract(request.device);
    if (!in_time) hanging_[request.device] = request;
  }
  ended_.notify_all();
  if (!child)
    return fail(ErrorKind::unavailable, fmt::format("cannot {}: {}", request.request, child.error().message),
                "install gpuhost completely, with what belongs beside the program");
  if (!in_time) return End(std::move(request));
  const int code = collect(child->pid);
  return End(code >= ended_by_signal ? EINTR : code);
}

std::optional<AbandonedWrite> DeviceWrites::await(const std::string& device) {
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [&] { return !under_way_.contains(device); });
  const auto found = hanging_.find(device);
  return found == hanging_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace gpuhost
