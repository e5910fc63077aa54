#include "host/real/linux_files.hpp"

#include <array>
#include <atomic>
#include <thread>

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adapters/scratch_directory.hpp"
#include "base/sha256.hpp"

namespace gpuhost {
namespace {

namespace fs = std::filesystem;
using testing::ScratchDirectory;

class LinuxFilesTest : public ::testing::Test {
 protected:
  ScratchDirectory outside_;
  ScratchDirectory root_;
  LinuxFiles files_{root_.path(), GPUHOST_WRITE_ATTRIBUTE};

  [[nodiscard]] std::vector<std::string> names(const std::string& folder) const {
    return files_.list(folder).value_or(std::vector<std::string>{"(cannot be listed)"});
  }
};

unsigned mode_of(const std::string& path) {
  struct stat found{};
  EXPECT_EQ(::lstat(path.c_str(), &found), 0) << path;
  return found.st_mode & 07777U;
}

/// Runs `body` in a child that may give up root or mount; true if all expectations in it held. `body` returns
/// false to say that one did not.
template <class Body>
bool in_child(Body body) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(body() ? 0 : 1);
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// Whether a process that is not this one has the file open.
bool is_open_elsewhere(const std::string& path) {
  std::error_code code;
  for (const auto& process : fs::directory_iterator("/proc", code)) {
    const auto pid = process.path().filename().string();
    const bool another =
        pid.find_first_not_of("0123456789") == std::string::npos && pid != std::to_string(::getpid());
    if (!another) continue;  // "self" is not another one
    for (const auto& fd : fs::directory_iterator(process.path() / "fd", code))
      if (fs::read_symlink(fd, code) == path) return true;
  }
  return false;
}

TEST_F(LinuxFilesTest, reads_what_is_there) {
  root_.write("/etc/hostname", "alpha\n");
  EXPECT_EQ(files_.read("/etc/hostname").value(), "alpha\n");
}

TEST_F(LinuxFilesTest, a_missing_file_is_not_found_and_names_its_path) {
  const auto read = files_.read("/etc/nothing");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, ErrorKind::not_found);
  EXPECT_EQ(read.error().message, "cannot read /etc/nothing: No such file or directory");
  EXPECT_FALSE(files_.exists("/etc/nothing").value());
}

TEST_F(LinuxFilesTest, a_file_in_the_place_of_a_directory_is_not_found) {
  root_.write("/etc", "no directory");
  EXPECT_EQ(files_.read("/etc/hostname").error().kind, ErrorKind::not_found);
}

TEST_F(LinuxFilesTest, takes_absolute_paths_only) {
  EXPECT_EQ(files_.read("etc/hostname").error().kind, ErrorKind::invalid);
  EXPECT_EQ(files_.replace("etc/hostname", "x", 0644).error().kind, ErrorKind::invalid);
  EXPECT_EQ(files_.replace("/etc/..", "x", 0644).error().kind, ErrorKind::invalid);
  EXPECT_EQ(files_.remove("/").error().kind, ErrorKind::invalid);
}

TEST_F(LinuxFilesTest, links_and_dots_never_lead_out_of_the_root) {
  outside_.write("/secret", "secret");
  fs::create_symlink(outside_.path("/secret"), root_.path("/absolute"));
  fs::create_symlink("../../../../../../../.." + outside_.path("/secret"), root_.path("/climbing"));
  fs::create_directory_symlink(outside_.path(), root_.path("/folder"));
  EXPECT_EQ(files_.read("/absolute").error().kind, ErrorKind::not_found);
  EXPECT_EQ(files_.read("/climbing").error().kind, ErrorKind::not_found);
  EXPECT_EQ(files_.read("/folder/secret").error().kind, ErrorKind::not_found);
  EXPECT_EQ(files_.read("/../../../../../../.." + outside_.path("/secret")).error().kind,
            ErrorKind::not_found);
  EXPECT_EQ(files_.list("/folder").error().kind, ErrorKind::not_found);
}

TEST_F(LinuxFilesTest, writing_through_links_stays_in_the_root) {
  outside_.write("/secret", "secret");
  fs::create_directory_symlink(outside_.path(), root_.path("/folder"));
  EXPECT_FALSE(files_.replace("/folder/secret", "stolen", 0644));
  EXPECT_FALSE(files_.write_attribute("/folder/secret", "stolen"));
  EXPECT_TRUE(files_.remove("/folder/secret"));
  EXPECT_EQ(outside_.read("/secret"), "secret");
}

TEST_F(LinuxFilesTest, absolute_links_are_taken_from_the_root) {
  root_.write("/real/name", "value");
  fs::create_symlink("/real/name", root_.path("/link"));
  EXPECT_EQ(files_.read("/link").value(), "value");
  EXPECT_EQ(files_.link_target("/link").value(), "/real/name");
}

TEST_F(LinuxFilesTest, a_loop_of_links_is_an_error_for_reading_and_replacing) {
  fs::create_symlink("b", root_.path("/a"));
  fs::create_symlink("a", root_.path("/b"));
  EXPECT_EQ(files_.read("/a").error().kind, ErrorKind::io);
  EXPECT_EQ(files_.replace("/a", "x", 0644).error().message,
            "cannot follow /a: Too many levels of symbolic links");
}

TEST_F(LinuxFilesTest, files_whose_size_says_nothing_are_read_to_their_end) {
  const LinuxFiles live("/");
  EXPECT_FALSE(live.read("/proc/self/status").value().empty());
  const auto page_sized = live.read("/sys/kernel/mm/transparent_hugepage/enabled");
  if (page_sized) {
    EXPECT_LT(page_sized->size(), 4096U);
  }
}

TEST_F(LinuxFilesTest, reads_at_most_16_MiB) {
  root_.write("/fits", std::string(16U << 20U, 'x'));
  root_.write("/too-long", std::string((16U << 20U) + 1, 'x'));
  EXPECT_EQ(files_.read("/fits").value().size(), 16U << 20U);
  EXPECT_EQ(files_.read("/too-long").error().message, "cannot read /too-long: it is larger than 16 MiB");
}

TEST_F(LinuxFilesTest, reads_regular_files_only_and_never_waits) {
  ASSERT_EQ(::mkfifo(root_.path("/fifo").c_str(), 0600), 0);
  EXPECT_EQ(files_.read("/fifo").error().message, "cannot read /fifo: not a regular file");
  EXPECT_EQ(files_.read("/").error().kind, ErrorKind::invalid);
}

TEST_F(LinuxFilesTest, lists_in_byte_order) {
  for (const auto* name : {"/d/b", "/d/a10", "/d/a9", "/d/.hidden", "/d/B"}) root_.write(name, "");
  EXPECT_EQ(names("/d"), (std::vector<std::string>{".hidden", "B", "a10", "a9", "b"}));
  EXPECT_EQ(files_.list("/d/a9").error().kind, ErrorKind::not_found);
}

TEST_F(LinuxFilesTest, status_looks_at_the_link_itself) {
  root_.write("/file", "");
  fs::permissions(root_.path("/file"), fs::perms(0640));
  fs::create_symlink("nowhere", root_.path("/link"));
  EXPECT_EQ(files_.status("/file").value(), (FileStatus{FileStatus::Type::regular, 0640, ::geteuid()}));
  EXPECT_EQ(files_.status("/link").value().type, FileStatus::Type::symlink);
  EXPECT_EQ(files_.status("/").value().type, FileStatus::Type::directory);
  EXPECT_EQ(files_.link_target("/file").error().kind, ErrorKind::invalid);
}

TEST_F(LinuxFilesTest, an_attribute_takes_one_write_and_is_never_made) {
  root_.write("/numvfs", "0");
  EXPECT_TRUE(files_.write_attribute("/numvfs", "4"));
  EXPECT_EQ(root_.read("/numvfs"), "4");
  EXPECT_EQ(files_.write_attribute("/other", "4").error().kind, ErrorKind::not_found);
  EXPECT_EQ(names("/"), (std::vector<std::string>{"numvfs"}));
}

TEST_F(LinuxFilesTest, an_attribute_that_refuses_the_value_says_which) {
  LinuxFiles live("/", GPUHOST_WRITE_ATTRIBUTE);
  const auto written = live.write_attribute("/dev/full", "16");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message, "cannot write '16' to /dev/full: No space left on device");
}

TEST_F(LinuxFilesTest, an_attribute_that_cannot_be_written_for_want_of_the_program_says_so) {
  root_.write("/numvfs", "0");
  LinuxFiles files(root_.path(), "/nonexistent");
  const auto written = files.write_attribute("/numvfs", "4");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::unavailable);
}

/// An attribute of a device whose writer the kernel keeps until somebody lets go: a pipe that is full.
class LinuxFilesHangTest : public LinuxFilesTest {
 protected:
  void SetUp() override {
    root_.write(device_ + "/driver_override", "(null)\n");
    root_.write(device_ + "/vendor", "0x10de\n");
    ASSERT_EQ(::mkfifo(root_.path(unbind_).c_str(), 0600), 0);
    pipe_ = UniqueFd(::open(root_.path(unbind_).c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    while (::write(pipe_.get(), "x", 1) == 1) {
    }
  }
  /// Lets the writer come back, and waits for its end.
  void let_go() {
    std::array<char, 4096> drained;
    ASSERT_GT(::read(pipe_.get(), drained.data(), drained.size()), 0);
    ASSERT_GT(::waitpid(-1, nullptr, 0), 0);
  }
  [[nodiscard]] Result<void> unbind() { return files_.write_attribute(unbind_, "0000:41:00.0"); }

  std::string device_ = "/sys/bus/pci/devices/0000:41:00.0";
  std::string unbind_ = device_ + "/unbind";
  UniqueFd pipe_;
  LinuxFiles files_{root_.path(), GPUHOST_WRITE_ATTRIBUTE, std::chrono::seconds(1)};
};

TEST_F(LinuxFilesHangTest, a_write_that_does_not_come_back_is_left_alone_and_on_record) {
  const auto written = unbind();
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::timed_out);
  EXPECT_TRUE(written.error().message.contains("0000:41:00.0")) << written.error().message;
  EXPECT_TRUE(root_.read("/run/gpuhost/abandoned.json").contains("0000:41:00.0"));
  let_go();
}

TEST_F(LinuxFilesHangTest, afterwards_nothing_that_could_hang_is_asked_of_the_device) {
  ASSERT_FALSE(unbind());
  EXPECT_EQ(unbind().error().kind, ErrorKind::busy);
  EXPECT_EQ(files_.write_attribute(device_ + "/driver_override", "x").error().kind, ErrorKind::busy);
  EXPECT_EQ(files_.read(device_ + "/driver_override").error().kind, ErrorKind::busy);
  EXPECT_EQ(files_.read(device_ + "/vendor").value(), "0x10de\n") << "the kernel shows this without waiting";
  root_.write("/sys/bus/pci/devices/0000:61:00.0/driver_override", "(null)\n");
  EXPECT_TRUE(files_.write_attribute("/sys/bus/pci/devices/0000:61:00.0/driver_override", "x"));
  let_go();
}

TEST_F(LinuxFilesHangTest, who_reads_meanwhile_waits_no_longer_than_the_write) {
  LinuxFiles files(root_.path(), GPUHOST_WRITE_ATTRIBUTE, std::chrono::seconds(3));
  const std::jthread writer([&] { EXPECT_FALSE(files.write_attribute(unbind_, "0000:41:00.0")); });
  // The process that writes has its output open on the pipe from when the write is under way.
  while (!is_open_elsewhere(root_.path(unbind_))) std::this_thread::yield();
  EXPECT_EQ(files.read(device_ + "/driver_override").error().kind, ErrorKind::busy);
  let_go();
}

TEST_F(LinuxFilesTest, a_new_file_gets_the_mode_and_its_parents_0755_whatever_the_umask) {
  EXPECT_TRUE(in_child([&] {
    ::umask(0077);
    return files_.replace("/etc/modprobe.d/x.conf", "options\n", 0644).has_value();
  }));
  EXPECT_EQ(root_.read("/etc/modprobe.d/x.conf"), "options\n");
  EXPECT_EQ(mode_of(root_.path("/etc/modprobe.d/x.conf")), 0644U);
  EXPECT_EQ(mode_of(root_.path("/etc/modprobe.d")), 0755U);
  EXPECT_EQ(mode_of(root_.path("/etc")), 0755U);
}

TEST_F(LinuxFilesTest, a_replaced_file_keeps_mode_and_owner) {
  root_.write("/file", "old");
  fs::permissions(root_.path("/file"), fs::perms(0640));
  const bool root = ::geteuid() == 0;
  if (root) {
    ASSERT_EQ(::chown(root_.path("/file").c_str(), 12, 34), 0);
  }
  ASSERT_TRUE(files_.replace("/file", "new", 0600));
  struct stat found{};
  ASSERT_EQ(::stat(root_.path("/file").c_str(), &found), 0);
  EXPECT_EQ(root_.read("/file"), "new");
  EXPECT_EQ(found.st_mode & 07777U, 0640U);
  if (root) {
    EXPECT_EQ(found.st_uid, 12U);
    EXPECT_EQ(found.st_gid, 34U);
  }
  EXPECT_EQ(names("/"), (std::vector<std::string>{"file"}));
}

TEST_F(LinuxFilesTest, replacing_a_link_replaces_what_it_leads_to) {
  root_.write("/versioned/grub", "old");
  fs::create_directories(root_.path("/etc/default"));
  fs::create_symlink("../../link2", root_.path("/etc/default/grub"));
  fs::create_symlink("/versioned/grub", root_.path("/link2"));
  ASSERT_TRUE(files_.replace("/etc/default/grub", "new", 0644));
  EXPECT_EQ(root_.read("/versioned/grub"), "new");
  EXPECT_TRUE(fs::is_symlink(root_.path("/etc/default/grub")));
  EXPECT_TRUE(fs::is_symlink(root_.path("/link2")));
}

TEST_F(LinuxFilesTest, replacing_a_dangling_link_makes_what_it_leads_to) {
  fs::create_symlink("target", root_.path("/link"));
  ASSERT_TRUE(files_.replace("/link", "new", 0644));
  EXPECT_EQ(root_.read("/target"), "new");
}

TEST_F(LinuxFilesTest, a_directory_is_not_replaced) {
  fs::create_directory(root_.path("/folder"));
  EXPECT_EQ(files_.replace("/folder", "x", 0644).error().message,
            "cannot replace /folder: not a regular file");
  EXPECT_EQ(names("/"), (std::vector<std::string>{"folder"}));
}

TEST_F(LinuxFilesTest, readers_see_the_old_or_the_new_file_never_a_part) {
  const std::string old_text(200'000, 'a');
  const std::string new_text(300'000, 'b');
  root_.write("/file", old_text);
  std::atomic<bool> done = false;
  std::atomic<unsigned> partial = 0;
  std::thread reader([&] {
    while (!done) {
      const auto seen = files_.read("/file");
      if (!seen || (*seen != old_text && *seen != new_text)) ++partial;
    }
  });
  for (int turn = 0; turn < 50; ++turn) {
    ASSERT_TRUE(files_.replace("/file", turn % 2 == 0 ? new_text : old_text, 0644));
  }
  done = true;
  reader.join();
  EXPECT_EQ(partial, 0U);
}

TEST_F(LinuxFilesTest, a_full_disk_leaves_the_old_file_and_nothing_else) {
  fs::create_directory(root_.path("/small"));
  if (::geteuid() != 0) GTEST_SKIP() << "mounting needs root";
  enum : int { passed, failed, cannot_mount };
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", root_.path("/small").c_str(), "tmpfs", 0, "size=64k") != 0)
      ::_exit(cannot_mount);
    LinuxFiles files(root_.path());  // files_ looks at the mounts of the parent
    const bool first = files.replace("/small/file", "old", 0644).has_value();
    const auto second = files.replace("/small/file", std::string(100'000, 'x'), 0644);
    const bool told =
        !second && second.error().message == "cannot write /small/file: No space left on device";
    const bool kept = files.read("/small/file").value_or("") == "old";
    const bool clean = files.list("/small").value_or(std::vector<std::string>{}).size() == 1;
    ::_exit(first && told && kept && clean ? passed : failed);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  if (WIFEXITED(status) && WEXITSTATUS(status) == cannot_mount)
    GTEST_SKIP() << "this machine allows no mounts";
  EXPECT_EQ(status, 0);
}

TEST_F(LinuxFilesTest, a_directory_that_may_not_be_written_is_denied_and_untouched) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give it up";
  root_.write("/etc/file", "old");
  ErrorKind kind = ErrorKind::io;
  EXPECT_TRUE(in_child([&] {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) return false;
    const auto replaced = files_.replace("/etc/file", "new", 0644);
    const auto made = files_.replace("/new/file", "new", 0644);
    const auto removed = files_.remove("/etc/file");
    kind = replaced ? ErrorKind::io : replaced.error().kind;
    return kind == ErrorKind::denied && !made && made.error().kind == ErrorKind::denied && !removed &&
           removed.error().kind == ErrorKind::denied;
  }));
  EXPECT_EQ(root_.read("/etc/file"), "old");
  EXPECT_EQ(names("/"), (std::vector<std::string>{"etc"}));
  EXPECT_EQ(names("/etc"), (std::vector<std::string>{"file"}));
}

TEST_F(LinuxFilesTest, a_file_that_may_not_be_read_is_denied_not_absent) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give it up";
  root_.write("/file", "secret");
  fs::permissions(root_.path("/file"), fs::perms(0600));
  EXPECT_TRUE(in_child([&] {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) return false;
    const auto read = files_.read("/file");
    return !read && read.error().kind == ErrorKind::denied;
  }));
}

TEST_F(LinuxFilesTest, removing_twice_is_done_both_times) {
  root_.write("/file", "x");
  EXPECT_TRUE(files_.remove("/file"));
  EXPECT_TRUE(files_.remove("/file"));
  EXPECT_TRUE(files_.remove("/no/such/folder/file"));
  EXPECT_EQ(names("/"), std::vector<std::string>{});
}

TEST_F(LinuxFilesTest, removing_a_link_leaves_its_target) {
  root_.write("/file", "x");
  fs::create_symlink("file", root_.path("/link"));
  EXPECT_TRUE(files_.remove("/link"));
  EXPECT_EQ(names("/"), (std::vector<std::string>{"file"}));
}

TEST_F(LinuxFilesTest, a_directory_is_not_removed) {
  fs::create_directory(root_.path("/folder"));
  EXPECT_FALSE(files_.remove("/folder"));
  EXPECT_EQ(names("/"), (std::vector<std::string>{"folder"}));
}

/// Larger than what is read at once, and than what read() takes.
const std::string& large_content() {
  static const std::string content(std::size_t{17} << 20U, 'x');
  return content;
}

TEST_F(LinuxFilesTest, a_large_file_is_copied_where_only_its_owner_reads_it) {
  root_.write("/srv/driver.run", large_content());
  const auto digest = sha256(large_content());
  EXPECT_EQ(files_.digest("/srv/driver.run").value(), digest);
  ASSERT_TRUE(files_.copy("/srv/driver.run", "/var/lib/gpuhost/sources/a.run", digest));
  EXPECT_EQ(files_.digest("/var/lib/gpuhost/sources/a.run").value(), digest);
  EXPECT_EQ(mode_of(root_.path() + "/var/lib/gpuhost/sources/a.run"), 0600U);
}

TEST_F(LinuxFilesTest, a_copy_of_other_content_than_was_said_is_not_kept) {
  root_.write("/srv/driver.run", large_content().substr(1));  // its download was cut off
  const auto copied = files_.copy("/srv/driver.run", "/copies/a.run", sha256(large_content()));
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().kind, ErrorKind::mismatch);
  EXPECT_EQ(names("/copies"), std::vector<std::string>{});
  EXPECT_EQ(files_.copy("/srv/nothing", "/copies/a.run", "").error().kind, ErrorKind::not_found);
}

TEST_F(LinuxFilesTest, a_link_in_place_of_a_large_file_is_not_followed) {
  root_.write("/srv/secret", "secret");
  fs::create_symlink("secret", root_.path() + "/srv/driver.run");
  EXPECT_FALSE(files_.digest("/srv/driver.run"));
  EXPECT_FALSE(files_.copy("/srv/driver.run", "/copies/a.run", sha256("secret")));
  EXPECT_FALSE(files_.exists("/copies/a.run").value());
  EXPECT_EQ(files_.digest("/srv").error().kind, ErrorKind::invalid);
}

TEST(LinuxFiles, a_root_that_does_not_exist_fails_every_call_with_that_reason) {
  LinuxFiles files("/no/such/root");
  for (const auto& message :
       {files.read("/x").error().message, files.list("/").error().message,
        files.replace("/x", "", 0644).error().message, files.status("/x").error().message})
    EXPECT_EQ(message, "cannot open root directory /no/such/root: No such file or directory");
}

}  // namespace
}  // namespace gpuhost
