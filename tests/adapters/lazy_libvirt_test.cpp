#include "host/real/lazy_libvirt.hpp"

#include <algorithm>
#include <thread>

#include <dlfcn.h>
#include <gtest/gtest.h>

#include "adapters/scratch_directory.hpp"

namespace gpuhost {
namespace {

using testing::ScratchDirectory;
using namespace std::chrono_literals;

TEST(LazyLibvirt, the_library_belongs_beside_the_program) {
  EXPECT_TRUE(installed_adapter_library("libvirt").ends_with("/../lib/gpuhost/libgpuhost-libvirt.so"));
}

TEST(LazyLibvirt, without_a_socket_libvirt_is_unavailable_and_nothing_is_loaded) {
  const ScratchDirectory run;
  LazyLibvirt libvirt("/no/library.so", run.path());
  const auto found = libvirt.domains("qemu:///system");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(found.error().message, "libvirt does not run here: there is neither " + run.path() +
                                       "/libvirt-sock-ro nor " + run.path() + "/virtqemud-sock-ro");
  EXPECT_EQ(found.error().advice, "install libvirt, or start libvirtd.socket or virtqemud.socket");
  EXPECT_EQ(libvirt.start("qemu:///system", "a").error().message,
            "libvirt does not run here: there is neither " + run.path() + "/libvirt-sock nor " + run.path() +
                "/virtqemud-sock");
}

TEST(LazyLibvirt, either_daemon_will_do_and_a_library_that_cannot_be_loaded_is_named) {
  const ScratchDirectory run;
  run.write("/virtqemud-sock-ro", "");
  LazyLibvirt libvirt("/no/library.so", run.path());
  const auto found = libvirt.domain("qemu:///system", "a");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::unavailable);
  EXPECT_NE(found.error().message.find("cannot load the libvirt adapter: /no/library.so: "),
            std::string::npos)
      << found.error().message;
  EXPECT_TRUE(found.error().advice.starts_with("install gpuhost completely"));
  EXPECT_NE(libvirt.domains("lxc:///system").error().message.find("virtlxcd-sock-ro"), std::string::npos);
}

TEST(LazyLibvirt, only_this_hosts_own_libvirt_is_ever_connected_to) {
  LazyLibvirt libvirt("/no/library.so", "/no/run");
  for (const auto* connection :
       {"qemu+ssh://other/system", "qemu://other/system", "qemu:///session", "qemu:///embed?root=/x", "",
        ":///system", "test://other/default", "qemu:///system?socket=/x"})
    EXPECT_EQ(libvirt.domains(connection).error().kind, ErrorKind::unsupported) << connection;
}

/// libvirt's test driver: domains in the memory of this process, for as long as a connection is open.
class LibvirtTestDriver : public ::testing::Test {
 protected:
  static constexpr const char* uri = "test:///default";

  void SetUp() override {
    void* const library = ::dlopen("libvirt.so.0", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) GTEST_SKIP() << "libvirt is not installed: " << ::dlerror();
    ASSERT_TRUE(libvirt_.domains(uri)) << libvirt_.domains(uri).error().message;
    const auto open = reinterpret_cast<void* (*)(const char*)>(::dlsym(library, "virConnectOpen"));
    close_ = reinterpret_cast<int (*)(void*)>(::dlsym(library, "virConnectClose"));
    held_ = open(uri);
    ASSERT_NE(held_, nullptr);
  }
  void TearDown() override {
    if (held_ != nullptr) close_(held_);
  }
  [[nodiscard]] Domain domain(const std::string& name) const {
    const auto found = libvirt_.domain(uri, name);
    EXPECT_TRUE(found) << found.error().message;
    return found.value_or(Domain{});
  }
  static std::string definition(const std::string& name) {
    return "<domain type='test'><name>" + name +
           "</name><memory>65536</memory><os><type>hvm</type></os><description>kept</description></domain>";
  }

  LazyLibvirt libvirt_{GPUHOST_LIBVIRT_LIBRARY, "/no/run"};

 private:
  void* held_ = nullptr;
  int (*close_)(void*) = nullptr;
};

TEST_F(LibvirtTestDriver, lists_domains_in_order_of_name) {
  ASSERT_TRUE(libvirt_.define(uri, definition("zeta")));
  ASSERT_TRUE(libvirt_.define(uri, definition("alpha")));
  const auto found = libvirt_.domains(uri);
  ASSERT_TRUE(found) << found.error().message;
  std::vector<std::string> names;
  for (const auto& domain : *found) names.push_back(domain.name);
  EXPECT_EQ(names, (std::vector<std::string>{"alpha", "test", "zeta"}));
}

TEST_F(LibvirtTestDriver, a_running_domain_has_two_descriptions_and_a_stopped_one_one) {
  const auto running = domain("test");
  EXPECT_TRUE(running.running);
  EXPECT_TRUE(running.persistent);
  EXPECT_EQ(running.uuid.size(), 36U);
  EXPECT_NE(running.live.find("<domain type='test' id='"), std::string::npos) << running.live;
  EXPECT_TRUE(running.definition.starts_with("<domain type='test'>")) << running.definition;
  ASSERT_TRUE(libvirt_.define(uri, definition("off")));
  const auto stopped = domain("off");
  EXPECT_FALSE(stopped.running);
  EXPECT_EQ(stopped.live, "");
  EXPECT_NE(stopped.definition.find("<description>kept</description>"), std::string::npos);
}

TEST_F(LibvirtTestDriver, a_domain_that_is_not_there_is_not_found) {
  const auto found = libvirt_.domain(uri, "no-such");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::not_found);
  EXPECT_TRUE(found.error().message.starts_with("cannot find domain no-such: ")) << found.error().message;
  EXPECT_EQ(libvirt_.start(uri, "no-such").error().kind, ErrorKind::not_found);
  EXPECT_EQ(libvirt_.full_definition(uri, "no-such").error().kind, ErrorKind::not_found);
}

TEST_F(LibvirtTestDriver, what_is_no_definition_is_invalid) {
  EXPECT_EQ(libvirt_.define(uri, "<domain>").error().kind, ErrorKind::invalid);
  EXPECT_EQ(libvirt_.define(uri, "<domain type='test'><memory>1</memory></domain>").error().kind,
            ErrorKind::invalid);
}

TEST_F(LibvirtTestDriver, a_definition_that_is_read_changed_and_defined_again_keeps_its_uuid) {
  ASSERT_TRUE(libvirt_.define(uri, definition("a")));
  auto xml = libvirt_.full_definition(uri, "a").value();
  const auto uuid = domain("a").uuid;
  const std::string from = "kept";
  xml.replace(xml.find(from), from.size(), "changed");
  ASSERT_TRUE(libvirt_.define(uri, xml));
  EXPECT_EQ(domain("a").uuid, uuid);
  EXPECT_NE(domain("a").definition.find("<description>changed</description>"), std::string::npos);
}

TEST_F(LibvirtTestDriver, starts_shuts_down_and_destroys_and_again_is_done) {
  ASSERT_TRUE(libvirt_.define(uri, definition("a")));
  EXPECT_TRUE(libvirt_.start(uri, "a"));
  EXPECT_TRUE(libvirt_.start(uri, "a")) << "it runs";
  EXPECT_TRUE(domain("a").running);
  EXPECT_TRUE(libvirt_.shut_down(uri, "a", 10s));
  EXPECT_TRUE(libvirt_.shut_down(uri, "a", 10s)) << "it is off";
  EXPECT_FALSE(domain("a").running);
  EXPECT_TRUE(libvirt_.start(uri, "a"));
  EXPECT_TRUE(libvirt_.destroy(uri, "a"));
  EXPECT_TRUE(libvirt_.destroy(uri, "a")) << "it is off";
  EXPECT_FALSE(domain("a").running);
}

TEST_F(LibvirtTestDriver, a_saved_domain_goes_on_when_it_is_started) {
  ASSERT_TRUE(libvirt_.define(uri, definition("a")));
  ASSERT_TRUE(libvirt_.start(uri, "a"));
  const auto saved = libvirt_.managed_save(uri, "a");
  ASSERT_TRUE(saved) << saved.error().message;
  EXPECT_FALSE(domain("a").running);
  EXPECT_TRUE(libvirt_.managed_save(uri, "a")) << "it is off";
  EXPECT_TRUE(libvirt_.start(uri, "a"));
  EXPECT_TRUE(domain("a").running);
  EXPECT_TRUE(libvirt_.destroy(uri, "a"));
}

TEST_F(LibvirtTestDriver, autostart_is_set_and_read) {
  ASSERT_TRUE(libvirt_.define(uri, definition("a")));
  EXPECT_FALSE(domain("a").autostart);
  EXPECT_TRUE(libvirt_.set_autostart(uri, "a", true));
  EXPECT_TRUE(domain("a").autostart);
  EXPECT_TRUE(libvirt_.set_autostart(uri, "a", false));
  EXPECT_FALSE(domain("a").autostart);
}

TEST_F(LibvirtTestDriver, what_a_driver_cannot_do_is_unsupported) {
  const auto detached = libvirt_.detach(uri, "test", "<disk type='file'/>", 1s);
  ASSERT_FALSE(detached);
  EXPECT_EQ(detached.error().kind, ErrorKind::unsupported) << detached.error().message;
  EXPECT_EQ(libvirt_.attach(uri, "test", "<disk type='file'/>").error().kind, ErrorKind::unsupported);
}

TEST_F(LibvirtTestDriver, a_device_goes_from_no_guest_if_none_runs) {
  ASSERT_TRUE(libvirt_.define(uri, definition("a")));
  EXPECT_TRUE(libvirt_.detach(uri, "a", "<disk type='file'/>", 1s));
}

TEST_F(LibvirtTestDriver, several_threads_work_side_by_side) {
  std::vector<int> failures(8);
  {
    std::vector<std::jthread> threads;
    for (std::size_t index = 0; index < failures.size(); ++index) {
      threads.emplace_back([&, index] {
        const auto name = "many-" + std::to_string(index);
        failures[index] += libvirt_.define(uri, definition(name)) ? 0 : 1;
        for (int turn = 0; turn < 5; ++turn) {
          failures[index] += libvirt_.start(uri, name) ? 0 : 1;
          failures[index] += libvirt_.shut_down(uri, name, 10s) ? 0 : 1;
        }
      });
    }
  }
  EXPECT_TRUE(std::ranges::all_of(failures, [](int count) { return count == 0; }));
}

}  // namespace
}  // namespace gpuhost
