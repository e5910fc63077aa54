#pragma once

#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/observed.hpp"
#include "base/result.hpp"
#include "host/host.hpp"

namespace gpuhost {

/// What the agent of a guest has told of NVIDIA's driver in it. Planning asks no guest: this is kept for it.
struct GuestReport {
  std::string connection;
  std::string name;
  std::string uuid;                 ///< of the domain: one that was made anew under the name is another guest
  std::string asked;                ///< RFC 3339 UTC
  Observed<std::string> system;     ///< "debian", "mswindows"
  Observed<std::string> installed;  ///< version; absent: no driver is installed
  Observed<std::string> loaded;     ///< version; absent: none is loaded
  Observed<std::string> license;    ///< in the words of nvidia-smi; absent: the driver needs none

  [[nodiscard]] Json to_json() const;
  bool operator==(const GuestReport&) const = default;
};

using GuestReports = std::vector<GuestReport>;

namespace guest_reports {

inline constexpr const char* path = "/var/lib/gpuhost/guests.json";

/// No file is no knowledge. stale: written by a newer gpuhost; invalid: it is no such record.
[[nodiscard]] Result<GuestReports> load(const FileReader& files);

/// Asks each running guest of a connection that has a host device, in order of name; a guest that does not
/// answer takes ten seconds. An error: libvirt cannot be asked.
[[nodiscard]] Result<GuestReports> ask(const std::string& connection, Host& host);

/// Writes them in place of what was known of these guests; of others what is known stays.
Result<void> store(const GuestReports& asked, const FileReader& reader, FileWriter& files);

}  // namespace guest_reports

}  // namespace gpuhost
