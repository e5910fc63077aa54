#include "host/real/libvirt/domain_events.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "host/real/libvirt/session.hpp"

namespace gpuhost {

/// Shared with the event loop's thread, which may still be in a callback when we are gone.
struct DomainEvents::Signal {
  UniqueFd raised{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::atomic<bool> refused = false;

  static Signal& in(void* data) { return **static_cast<std::shared_ptr<Signal>*>(data); }
  static void drop(void* data) { delete static_cast<std::shared_ptr<Signal>*>(data); }
  void raise() const {
    const std::uint64_t one = 1;
    (void)!::write(raised.get(), &one, sizeof one);
  }

  static int on_life(virConnectPtr /*connection*/, virDomainPtr /*domain*/, int /*event*/, int /*detail*/,
                     void* data) {
    in(data).raise();
    return 0;
  }
  static void on_removal(virConnectPtr /*connection*/, virDomainPtr /*domain*/, const char* /*alias*/,
                         void* data) {
    in(data).raise();
  }
  static void on_refusal(virConnectPtr /*connection*/, virDomainPtr /*domain*/, const char* /*alias*/,
                         void* data) {
    in(data).refused = true;
    in(data).raise();
  }
};

Result<void> DomainEvents::listen(virDomainPtr domain, int event,
                                  virConnectDomainEventGenericCallback callback) {
  auto data = std::make_unique<std::shared_ptr<Signal>>(signal_);
  const int id =
      virConnectDomainEventRegisterAny(connection_, domain, event, callback, data.get(), &Signal::drop);
  if (id < 0) return std::unexpected(libvirt_error("listen to", "the events of a domain"));
  (void)data.release();  // libvirt drops it
  callbacks_.push_back(id);
  return {};
}

Result<DomainEvents> DomainEvents::make(virConnectPtr connection, virDomainPtr domain) {
  DomainEvents events(connection, std::make_shared<Signal>());
  if (!events.signal_->raised) return std::unexpected(system_error(errno, "make", "an event descriptor"));
  auto listening =
      events.listen(domain, VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(&Signal::on_life));
  if (!listening) return fail(std::move(listening));
  return events;
}

Result<DomainEvents> DomainEvents::of_life(virConnectPtr connection, virDomainPtr domain) {
  return make(connection, domain);
}

Result<DomainEvents> DomainEvents::of_devices(virConnectPtr connection, virDomainPtr domain) {
  auto events = make(connection, domain);
  if (!events) return events;
  auto listening = events->listen(domain, VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
                                  VIR_DOMAIN_EVENT_CALLBACK(&Signal::on_removal));
  if (listening)
    listening = events->listen(domain, VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED,
                               VIR_DOMAIN_EVENT_CALLBACK(&Signal::on_refusal));
  if (!listening) return fail(std::move(listening));
  return events;
}

DomainEvents::~DomainEvents() {
  for (const int id : callbacks_) virConnectDomainEventDeregisterAny(connection_, id);
}

bool DomainEvents::await(const Deadline& deadline) const {
  while (!deadline.passed()) {
    std::array<pollfd, 2> waiting{{{signal_->raised.get(), POLLIN, 0}, {deadline.fd(), POLLIN, 0}}};
    if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) return false;
    std::uint64_t count = 0;
    if (::read(signal_->raised.get(), &count, sizeof count) == sizeof count) return true;
  }
  return false;
}

bool DomainEvents::removal_was_refused() const {
  return signal_->refused;
}

}  // namespace gpuhost
