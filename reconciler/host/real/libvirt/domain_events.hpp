#pragma once

#include <memory>
#include <vector>

#include <libvirt/libvirt.h>

#include "base/result.hpp"
#include "host/real/deadline.hpp"

namespace gpuhost {

/// What libvirt tells of one domain from now on. To be made before the call that causes the event, so that it
/// cannot be missed. The connection must live longer.
class DomainEvents {
 public:
  /// It starts, stops, is paused …
  [[nodiscard]] static Result<DomainEvents> of_life(virConnectPtr connection, virDomainPtr domain);
  /// The same, and a device of it is gone, or its guest refuses to let go of one.
  [[nodiscard]] static Result<DomainEvents> of_devices(virConnectPtr connection, virDomainPtr domain);

  DomainEvents(DomainEvents&&) = default;
  DomainEvents& operator=(DomainEvents&&) = delete;
  ~DomainEvents();

  /// Waits for one more event; false when `deadline` comes first.
  [[nodiscard]] bool await(const Deadline& deadline) const;
  [[nodiscard]] bool removal_was_refused() const;

 private:
  struct Signal;

  DomainEvents(virConnectPtr connection, std::shared_ptr<Signal> signal)
      : connection_(connection), signal_(std::move(signal)) {}
  static Result<DomainEvents> make(virConnectPtr connection, virDomainPtr domain);
  Result<void> listen(virDomainPtr domain, int event, virConnectDomainEventGenericCallback callback);

  virConnectPtr connection_;
  std::shared_ptr<Signal> signal_;
  std::vector<int> callbacks_;
};

}  // namespace gpuhost
