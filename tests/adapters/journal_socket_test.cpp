#include "host/real/journal_socket.hpp"

#include <array>
#include <cstring>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "adapters/scratch_directory.hpp"

namespace gpuhost {
namespace {

/// In place of systemd-journald.
class StandIn {
 public:
  explicit StandIn(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  [[nodiscard]] std::string received() const {
    std::string datagram(std::size_t{1} << 18U, '\0');
    const auto size = ::recv(socket_.get(), datagram.data(), datagram.size(), MSG_DONTWAIT);
    datagram.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return datagram;
  }

 private:
  UniqueFd socket_;
};

class JournalSocketTest : public ::testing::Test {
 protected:
  testing::ScratchDirectory scratch_;
  std::string path_ = scratch_.path() + "/socket";
};

TEST_F(JournalSocketTest, an_entry_is_a_datagram_of_lines) {
  const StandIn journald(path_);
  const auto journal = JournalSocket::open(path_);
  ASSERT_TRUE(journal);
  EXPECT_TRUE(journal->send({{"MESSAGE", "load module vfio: done"}, {"PRIORITY", "5"}}));
  EXPECT_EQ(journald.received(), "MESSAGE=load module vfio: done\nPRIORITY=5\n");
}

TEST_F(JournalSocketTest, a_value_of_several_lines_has_its_length_before_it) {
  const StandIn journald(path_);
  const auto journal = JournalSocket::open(path_);
  ASSERT_TRUE(journal);
  EXPECT_TRUE(journal->send({{"GPUHOST_ERROR", "one\nPRIORITY=0"}}));
  const std::string length{14, 0, 0, 0, 0, 0, 0, 0};
  EXPECT_EQ(journald.received(), "GPUHOST_ERROR\n" + length + "one\nPRIORITY=0\n");
}

TEST_F(JournalSocketTest, a_value_without_end_is_cut_so_that_the_entry_arrives) {
  const StandIn journald(path_);
  const auto journal = JournalSocket::open(path_);
  ASSERT_TRUE(journal);
  EXPECT_TRUE(journal->send({{"MESSAGE", std::string(10'000'000, 'x')}, {"PRIORITY", "5"}}));
  EXPECT_EQ(journald.received(), "MESSAGE=" + std::string(16384, 'x') + "\nPRIORITY=5\n");
}

TEST_F(JournalSocketTest, no_journal_is_not_found) {
  const auto journal = JournalSocket::open(path_);
  ASSERT_FALSE(journal);
  EXPECT_EQ(journal.error().kind, ErrorKind::not_found);
}

TEST_F(JournalSocketTest, one_that_reads_nothing_keeps_nobody_for_long) {
  const StandIn journald(path_);
  const auto journal = JournalSocket::open(path_);
  ASSERT_TRUE(journal);
  Result<void> sent;
  for (int entries = 0; sent && entries < 10'000; ++entries) sent = journal->send({{"MESSAGE", "x"}});
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().kind, ErrorKind::busy);
}

}  // namespace
}  // namespace gpuhost
