#include "host/real/libvirt/event_loop.hpp"

#include <csignal>
#include <system_error>
#include <thread>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

namespace gpuhost {

namespace {

/// No signal is delivered to threads that are started meanwhile: those are for the main thread.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

void deliver_events(const std::stop_token& stop, int wake) {
  const std::stop_callback interrupt(stop, [wake] { virEventUpdateTimeout(wake, 0); });
  while (!stop.stop_requested() && virEventRunDefaultImpl() == 0) {
  }
}

class EventLoop {
 public:
  EventLoop() {
    virSetErrorFunc(nullptr, [](void* /*data*/, virErrorPtr /*error*/) {});
    if (virInitialize() != 0 || virEventRegisterDefaultImpl() != 0) return;
    const int wake = virEventAddTimeout(-1, [](int /*timer*/, void* /*data*/) {}, nullptr, nullptr);
    if (wake < 0) return;
    const SignalsBlocked here;
    try {
      thread_ = std::jthread([wake](const std::stop_token& stop) { deliver_events(stop, wake); });
    } catch (const std::system_error&) {
      return;
    }
  }

 private:
  std::jthread thread_;
};

}  // namespace

void run_event_loop() {
  static const EventLoop loop;
}

}  // namespace gpuhost
