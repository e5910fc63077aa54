#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace gpuhost {

/// systemd's journal, spoken to in its own protocol: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/.
class JournalSocket {
 public:
  static constexpr const char* path = "/run/systemd/journal/socket";

  struct Field {
    std::string_view name;  ///< of capitals, digits and underscores, with a capital first
    std::string value;      ///< any bytes; what is longer than 16 KiB is cut
  };
  using Entry = std::vector<Field>;

  /// not_found: no journal runs here.
  [[nodiscard]] static Result<JournalSocket> open(const std::string& at = JournalSocket::path);
  /// busy: the journal has not taken the entry within a second.
  Result<void> send(const Entry& entry) const;

 private:
  explicit JournalSocket(UniqueFd socket) : socket_(std::move(socket)) {}
  UniqueFd socket_;
};

}  // namespace gpuhost
