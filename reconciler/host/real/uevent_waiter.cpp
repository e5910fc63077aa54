#include "host/real/uevent_waiter.hpp"

#include <array>
#include <cerrno>

#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/unique_fd.hpp"
#include "host/real/deadline.hpp"

namespace gpuhost {

namespace {

constexpr unsigned kernel_group =
    1;  // udev sends on 2. Source: kernel lib/kobject_uevent.c; systemd sd-device
constexpr int ask_again_ms = 250;

/// Hears device events from now on; -1 where that is not allowed.
UniqueFd open_uevents() {
  UniqueFd uevents(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = kernel_group;
  if (uevents && ::bind(uevents.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return UniqueFd();
  return uevents;
}

/// Takes all that has come, so that a burst of events is asked about once. That some were lost (ENOBUFS) is
/// an event as well, and no end.
void drain(const UniqueFd& uevents) {
  std::array<char, 8192> event;
  while (uevents && (::recv(uevents.get(), event.data(), event.size(), 0) >= 0 || errno == ENOBUFS)) {
  }
}

}  // namespace

bool UeventWaiter::until(const std::function<bool()>& done, std::chrono::seconds limit) {
  if (done()) return true;
  const Deadline deadline(limit);
  const UniqueFd uevents = open_uevents();
  for (;;) {
    drain(uevents);
    const bool last = deadline.passed();
    if (done()) return true;
    if (last) return false;
    std::array<pollfd, 2> waiting{{{uevents.get(), POLLIN, 0}, {deadline.fd(), POLLIN, 0}}};
    ::poll(waiting.data(), waiting.size(), ask_again_ms);
  }
}

}  // namespace gpuhost
