#include "host/real/journal_socket.hpp"

#include <cerrno>
#include <cstdint>
#include <cstring>

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

namespace gpuhost {

namespace {

/// So that an entry always fits into a datagram.
constexpr std::size_t longest_value = std::size_t{16} << 10U;
constexpr timeval patience{1, 0};

/// A value of several lines has its length before it, in 64 bits, little-endian.
void append(std::string& datagram, const JournalSocket::Field& field) {
  const auto value = std::string_view(field.value).substr(0, longest_value);
  datagram += field.name;
  if (value.find('\n') == std::string_view::npos) {
    datagram += '=';
  } else {
    datagram += '\n';
    for (unsigned shift = 0; shift < 64; shift += 8)
      datagram += static_cast<char>((std::uint64_t{value.size()} >> shift) & 0xffU);
  }
  datagram += value;
  datagram += '\n';
}

}  // namespace

Result<JournalSocket> JournalSocket::open(const std::string& at) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (at.size() >= sizeof address.sun_path)
    return std::unexpected(system_error(ENAMETOOLONG, "connect to", at));
  std::memcpy(address.sun_path, at.data(), at.size());
  UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0)
    return std::unexpected(system_error(errno, "connect to", at));
  return JournalSocket(std::move(socket));
}

Result<void> JournalSocket::send(const Entry& entry) const {
  std::string datagram;
  for (const auto& field : entry) append(datagram, field);
  if (::send(socket_.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL) < 0)
    return std::unexpected(system_error(errno, "write to", "the journal"));
  return {};
}

}  // namespace gpuhost
