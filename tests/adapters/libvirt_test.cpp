// Needs a libvirtd of its own and QEMU: runs in tests/lab/nspawn, scenario "libvirt".

#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "host/real/boot_clock.hpp"
#include "host/real/child_commands.hpp"
#include "host/real/real_host.hpp"

namespace gpuhost {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr const char* uri = "qemu:///system";

std::string virsh(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"/usr/bin/virsh", "--connect", uri, "--quiet"});
  return ChildCommands().run({arguments}).value_or(CommandResult{-1, "virsh cannot be run"}).output;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A machine that finds nothing to boot from, and stays up.
std::string definition(const std::string& name, const std::string& more = {},
                       const std::string& devices = {}) {
  return "<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>" + name +
         "</name><memory unit='MiB'>64</memory><os><type arch='x86_64' machine='pc'>hvm</type></os>"
         "<features><acpi/></features>" +
         more + "<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>" + devices + "</devices></domain>";
}

std::string disk(const std::string& image, const std::string& target, const std::string& bus) {
  return "<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
         "<source file='/var/lib/libvirt/images/" +
         image + "'/><target dev='" + target + "' bus='" + bus + "'/></disk>";
}

class LibvirtTest : public ::testing::Test {
 protected:
  void TearDown() override {
    for (const auto& domain : host_.view.domains.domains(uri).value_or(std::vector<Domain>{})) {
      virsh({"destroy", domain.name});
      virsh({"undefine", domain.name, "--managed-save"});
    }
  }
  void define(const std::string& xml) {
    const auto defined = libvirt_.define(uri, xml);
    ASSERT_TRUE(defined) << defined.error().message;
  }
  void start(const std::string& name) {
    const auto started = libvirt_.start(uri, name);
    ASSERT_TRUE(started) << started.error().message;
  }
  [[nodiscard]] Domain domain(const std::string& name) const {
    const auto found = host_.view.domains.domain(uri, name);
    EXPECT_TRUE(found) << found.error().message;
    return found.value_or(Domain{});
  }

  RealHost real_;
  Host host_ = real_.host();
  DomainWriter& libvirt_ = host_.domains;
  BootClock clock_;
};

TEST_F(LibvirtTest, lists_what_is_defined_and_what_runs_in_order_of_name) {
  define(definition("b"));
  define(definition("c"));
  define(definition("a"));
  start("b");
  const auto found = host_.view.domains.domains(uri);
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_EQ(found->size(), 3U);
  EXPECT_EQ((*found)[0].name, "a");
  EXPECT_FALSE((*found)[0].running);
  EXPECT_EQ((*found)[0].live, "");
  EXPECT_EQ((*found)[1], domain("b"));
  EXPECT_TRUE((*found)[1].running);
  EXPECT_TRUE((*found)[1].persistent);
  EXPECT_TRUE(contains((*found)[1].live, "<domain type='qemu' id='"));
  EXPECT_FALSE(contains((*found)[1].definition, "<domain type='qemu' id='"));
}

TEST_F(LibvirtTest, a_guest_that_does_not_answer_is_not_shut_down_in_time_and_can_be_destroyed) {
  define(definition("deaf"));
  start("deaf");
  EXPECT_TRUE(libvirt_.start(uri, "deaf")) << "it runs";
  const auto begun = clock_.since_boot();
  const auto ended = libvirt_.shut_down(uri, "deaf", 2s);
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().kind, ErrorKind::timed_out);
  EXPECT_EQ(ended.error().message, "cannot shut down domain deaf: its guest did not end within 2 s");
  EXPECT_GE(clock_.since_boot() - begun, 2s);
  EXPECT_TRUE(domain("deaf").running);
  EXPECT_TRUE(libvirt_.destroy(uri, "deaf"));
  EXPECT_TRUE(libvirt_.destroy(uri, "deaf")) << "it is off";
  EXPECT_TRUE(libvirt_.shut_down(uri, "deaf", 2s)) << "it is off";
  EXPECT_FALSE(domain("deaf").running);
}

TEST_F(LibvirtTest, a_shutdown_is_done_as_soon_as_the_guest_has_ended) {
  define(definition("ends"));
  start("ends");
  const auto begun = clock_.since_boot();
  const std::jthread guest([] { virsh({"qemu-monitor-command", "ends", "--hmp", "quit"}); });
  EXPECT_TRUE(libvirt_.shut_down(uri, "ends", 100s));
  EXPECT_LT(clock_.since_boot() - begun, 50s);
  EXPECT_FALSE(domain("ends").running);
}

TEST_F(LibvirtTest, a_guest_that_somebody_has_paused_is_left_as_it_is) {
  define(definition("paused"));
  start("paused");
  virsh({"suspend", "paused"});
  EXPECT_TRUE(domain("paused").running);
  EXPECT_TRUE(libvirt_.start(uri, "paused"));
  EXPECT_TRUE(contains(virsh({"domstate", "paused"}), "paused"));
}

TEST_F(LibvirtTest, a_saved_guest_goes_on) {
  define(definition("saved"));
  start("saved");
  const auto saved = libvirt_.managed_save(uri, "saved");
  ASSERT_TRUE(saved) << saved.error().message;
  EXPECT_FALSE(domain("saved").running);
  EXPECT_TRUE(fs::exists("/var/lib/libvirt/qemu/save/saved.save"));
  start("saved");
  EXPECT_FALSE(fs::exists("/var/lib/libvirt/qemu/save/saved.save"));
  EXPECT_TRUE(domain("saved").running);
}

TEST_F(LibvirtTest, a_start_that_fails_says_why) {
  define(definition("broken", {}, disk("no-such.img", "vda", "virtio")));
  const auto started = libvirt_.start(uri, "broken");
  ASSERT_FALSE(started);
  EXPECT_TRUE(started.error().message.starts_with("cannot start domain broken: ")) << started.error().message;
  EXPECT_TRUE(contains(started.error().message, "no-such.img")) << started.error().message;
  EXPECT_FALSE(contains(started.error().message, "\n"));
}

TEST_F(LibvirtTest, autostart_is_the_link_that_libvirtd_reads_at_boot) {
  define(definition("auto"));
  EXPECT_FALSE(domain("auto").autostart);
  EXPECT_TRUE(libvirt_.set_autostart(uri, "auto", true));
  EXPECT_TRUE(domain("auto").autostart);
  EXPECT_TRUE(fs::is_symlink("/etc/libvirt/qemu/autostart/auto.xml"));
  EXPECT_TRUE(libvirt_.set_autostart(uri, "auto", false));
  EXPECT_FALSE(domain("auto").autostart);
}

TEST_F(LibvirtTest, a_device_comes_to_the_running_guest_and_goes_and_the_definition_stays) {
  const auto stick = disk("stick.img", "sda", "usb");
  define(definition("plugs"));
  const auto before = domain("plugs").definition;
  start("plugs");
  const auto attached = libvirt_.attach(uri, "plugs", stick);
  ASSERT_TRUE(attached) << attached.error().message;
  EXPECT_TRUE(contains(domain("plugs").live, "stick.img"));
  EXPECT_EQ(domain("plugs").definition, before);
  EXPECT_FALSE(libvirt_.attach(uri, "plugs", stick)) << "it is there";
  const auto detached = libvirt_.detach(uri, "plugs", stick, 60s);
  ASSERT_TRUE(detached) << detached.error().message;
  EXPECT_FALSE(contains(domain("plugs").live, "stick.img"));
  EXPECT_TRUE(libvirt_.detach(uri, "plugs", stick, 60s)) << "it is gone";
  EXPECT_EQ(libvirt_.attach(uri, "plugs", "<disk").error().kind, ErrorKind::invalid);
}

TEST_F(LibvirtTest, a_guest_that_does_not_let_go_of_a_device_keeps_it) {
  const auto vda = disk("disk.img", "vda", "virtio");
  define(definition("keeps", {}, vda));
  start("keeps");
  const auto detached = libvirt_.detach(uri, "keeps", vda, 1s);
  ASSERT_FALSE(detached);
  EXPECT_EQ(detached.error().kind, ErrorKind::timed_out) << detached.error().message;
  EXPECT_EQ(detached.error().message,
            "cannot detach a device from domain keeps: its guest did not let go of it within 1 s");
  EXPECT_TRUE(contains(domain("keeps").live, "disk.img"));
}

TEST_F(LibvirtTest, a_device_goes_with_the_guest_that_had_it) {
  const auto vda = disk("disk.img", "vda", "virtio");
  define(definition("goes", {}, vda));
  start("goes");
  const auto begun = clock_.since_boot();
  const std::jthread guest([&] {
    (void)host_.waiter.until([] { return false; }, 7s);  // libvirt itself waits for five
    virsh({"destroy", "goes"});
  });
  const auto detached = libvirt_.detach(uri, "goes", vda, 100s);
  EXPECT_TRUE(detached) << detached.error().message;
  EXPECT_LT(clock_.since_boot() - begun, 50s);
}

TEST_F(LibvirtTest, what_gpuhost_does_not_know_stays_in_a_definition_and_so_do_secrets) {
  const std::string foreign = "<metadata><own:note xmlns:own='urn:example'>kept</own:note></metadata>";
  const std::string console = "<graphics type='vnc' port='-1' autoport='yes' passwd='s3cret'/>";
  auto xml = definition("rich", foreign,
                        console +
                            "<rng model='virtio'><backend model='random'>/dev/urandom"
                            "</backend></rng>");
  const std::string end = "</domain>";
  xml.replace(
      xml.rfind(end), end.size(),
      "<qemu:commandline><qemu:arg value='-name'/><qemu:arg value='own'/></qemu:commandline></domain>");
  define(xml);
  EXPECT_FALSE(contains(domain("rich").definition, "s3cret"));

  auto full = libvirt_.full_definition(uri, "rich").value();
  EXPECT_TRUE(contains(full, "passwd='s3cret'"));
  const std::string devices = "</devices>";
  full.insert(full.rfind(devices), disk("disk.img", "vda", "virtio"));
  define(full);
  const auto again = libvirt_.full_definition(uri, "rich").value();
  for (const auto* part : {"s3cret", "<own:note xmlns:own=\"urn:example\">kept</own:note>", "/dev/urandom",
                           "<qemu:arg value='own'/>", "disk.img"})
    EXPECT_TRUE(contains(again, part)) << part << " in " << again;
}

TEST_F(LibvirtTest, a_transient_domain_has_no_definition_and_is_gone_when_it_ends) {
  const auto file = fs::temp_directory_path() / "transient.xml";
  std::ofstream(file) << definition("passing");
  virsh({"create", file});
  const auto found = domain("passing");
  EXPECT_TRUE(found.running);
  EXPECT_FALSE(found.persistent);
  EXPECT_EQ(found.definition, "");
  EXPECT_EQ(libvirt_.full_definition(uri, "passing").error().kind, ErrorKind::unsupported);
  EXPECT_EQ(libvirt_.managed_save(uri, "passing").error().kind, ErrorKind::unsupported);
  EXPECT_TRUE(libvirt_.destroy(uri, "passing"));
  EXPECT_EQ(host_.view.domains.domain(uri, "passing").error().kind, ErrorKind::not_found);
}

TEST_F(LibvirtTest, a_restart_of_the_daemon_is_survived) {
  define(definition("stays"));
  start("stays");
  ChildCommands().run({{"/usr/bin/systemctl", "restart", "libvirtd.service"}}).value();
  EXPECT_TRUE(domain("stays").running);
  EXPECT_TRUE(libvirt_.destroy(uri, "stays"));
}

TEST(LibvirtReader, anybody_may_look_and_not_change) {
  RealHost real;
  const Host host = real.host();
  const auto found = host.view.domains.domains(uri);
  EXPECT_TRUE(found) << found.error().message;
  const auto defined = host.domains.define(uri, definition("a"));
  ASSERT_FALSE(defined);
  EXPECT_EQ(defined.error().kind, ErrorKind::denied) << defined.error().message;
  EXPECT_EQ(defined.error().advice, "run as root");
}

}  // namespace
}  // namespace gpuhost
