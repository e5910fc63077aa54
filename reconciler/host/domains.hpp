#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace gpuhost {

/// A libvirt domain. A running one has two descriptions, which differ when it was changed for its next start.
struct Domain {
  std::string name;
  std::string uuid;
  bool persistent = false;
  bool running = false;  ///< it has a guest: running, paused, shutting down …
  bool saved = false;    ///< off, with its memory saved: the next start goes on from there
  bool autostart = false;
  std::string definition;  ///< XML that the next start uses; empty for a transient domain
  std::string live;        ///< XML of the running or saved guest; empty when there is none
  bool operator==(const Domain&) const = default;
};

/// Domains of a local libvirt, over a read-only connection: secrets, such as the password of a console, are
/// left out of the XML. `connection` is a local URI such as "qemu:///system". unavailable: libvirt cannot be
/// reached. Safe to call from several threads.
class DomainReader {
 public:
  virtual ~DomainReader() = default;
  /// In order of name.
  [[nodiscard]] virtual Result<std::vector<Domain>> domains(const std::string& connection) const = 0;
  /// not_found: libvirt has no domain of this name.
  [[nodiscard]] virtual Result<Domain> domain(const std::string& connection,
                                              const std::string& name) const = 0;
};

class DomainWriter {
 public:
  virtual ~DomainWriter() = default;
  /// The definition with its secrets: what a changed definition has to be made of, since defining what a
  /// DomainReader gave would lose them. For `define` alone, never to be shown or kept.
  /// unsupported: the domain is transient and has none.
  [[nodiscard]] virtual Result<std::string> full_definition(const std::string& connection,
                                                            const std::string& name) = 0;
  /// Makes `xml`, made from full_definition, what the next start of the domain it names uses.
  virtual Result<void> define(const std::string& connection, const std::string& xml) = 0;
  /// Done when it runs; one that was saved goes on where it was.
  virtual Result<void> start(const std::string& connection, const std::string& name) = 0;
  /// Asks the guest to shut down; done when the domain is off, timed_out when it is not off in time.
  virtual Result<void> shut_down(const std::string& connection, const std::string& name,
                                 std::chrono::seconds limit) = 0;
  /// Saves the guest's memory and ends it; the next start goes on from there. unsupported: libvirt cannot
  /// save this guest, as with most host devices.
  virtual Result<void> managed_save(const std::string& connection, const std::string& name) = 0;
  /// Ends the guest as if its power was cut.
  virtual Result<void> destroy(const std::string& connection, const std::string& name) = 0;
  virtual Result<void> set_autostart(const std::string& connection, const std::string& name, bool on) = 0;
  /// Plugs a device into the running guest, and not into the definition.
  virtual Result<void> attach(const std::string& connection, const std::string& name,
                              const std::string& device_xml) = 0;
  /// Takes a device from the running guest; done when the guest has let go of it, timed_out when it does not
  /// in time. The definition stays.
  virtual Result<void> detach(const std::string& connection, const std::string& name,
                              const std::string& device_xml, std::chrono::seconds limit) = 0;
};

}  // namespace gpuhost
