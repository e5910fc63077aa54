#pragma once

#include <cstdlib>
#include <memory>
#include <string>

#include <libvirt/libvirt.h>

#include "base/result.hpp"

namespace gpuhost {

template <auto release>
struct Release {
  void operator()(auto* object) const noexcept { release(object); }
};
using DomainHandle = std::unique_ptr<virDomain, Release<virDomainFree>>;
using OwnedText = std::unique_ptr<char, Release<std::free>>;

/// One conversation with libvirt, for one operation. It costs a few milliseconds, and a new one each time
/// survives a restart of libvirt's daemon. A daemon that hangs ends it after half a minute.
class LibvirtSession {
 public:
  enum class Access { read, change };
  [[nodiscard]] static Result<LibvirtSession> open(const std::string& uri, Access access);

  [[nodiscard]] virConnectPtr get() const noexcept { return connection_.get(); }
  /// not_found: there is no such domain.
  [[nodiscard]] Result<DomainHandle> domain(const std::string& name) const;

 private:
  using Connection = std::unique_ptr<virConnect, Release<virConnectClose>>;
  explicit LibvirtSession(Connection connection) : connection_(std::move(connection)) {}

  Connection connection_;
};

/// "cannot <action> <object>: …" for what the last call of libvirt in this thread said.
[[nodiscard]] Error libvirt_error(const std::string& action, const std::string& object);

}  // namespace gpuhost
