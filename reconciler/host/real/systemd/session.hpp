#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include <sdbus-c++/sdbus-c++.h>

#include "base/result.hpp"
#include "host/real/deadline.hpp"

namespace gpuhost {

/// One conversation with systemd over the system bus, for one operation and the thread that opened it.
/// Members throw sdbus::Error; `guarded` turns that into an Error. A session costs well under a millisecond,
/// and a new one each time survives a restart of the bus.
class Session {
 public:
  Session();

  [[nodiscard]] sdbus::MethodInvoker call(
      const std::string& method);  ///< of org.freedesktop.systemd1.Manager
  [[nodiscard]] std::unique_ptr<sdbus::IProxy> object(const std::string& service, const std::string& path);
  [[nodiscard]] std::unique_ptr<sdbus::IProxy> unit(const sdbus::ObjectPath& path);

  /// To be called before the call that makes a job, so that its end cannot be missed.
  void watch_jobs();
  /// The job's result in systemd's words ("done", "failed", "canceled" …), or nothing if `deadline` comes
  /// first.
  [[nodiscard]] std::optional<std::string> await_job(const sdbus::ObjectPath& job, const Deadline& deadline);

 private:
  std::unique_ptr<sdbus::IConnection> connection_;
  std::unique_ptr<sdbus::IProxy> manager_;
  std::map<std::string, std::string> ended_jobs_;
};

inline constexpr const char* unit_interface = "org.freedesktop.systemd1.Unit";

/// "cannot <action> <object>: …" for what D-Bus or systemd said.
[[nodiscard]] Error bus_error(const sdbus::Error& error, const std::string& action,
                              const std::string& object);

/// Runs `work`, which returns a Result and may throw.
template <class Work>
auto guarded(const std::string& action, const std::string& object, Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const sdbus::Error& error) {
    return std::unexpected(bus_error(error, action, object));
  } catch (const std::exception& error) {
    return fail(ErrorKind::io, "cannot " + action + " " + object + ": " + error.what());
  }
}

}  // namespace gpuhost
