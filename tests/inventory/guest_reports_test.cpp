#include "inventory/guest_reports.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/sim/sim_host.hpp"

// What guests tell through their agents.

namespace gpuhost::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* uri = "qemu:///system";

/// A running guest with a device, and this agent.
HostFile::Domain guest(const std::string& name, std::optional<HostFile::Agent> agent) {
  return {
      .definition = "<domain type='kvm'><name>" + name +
                    "</name><devices><hostdev mode='subsystem' type='pci'><source><address domain='0x0000' "
                    "bus='0x41' slot='0x00' function='0x0'/></source></hostdev></devices></domain>",
      .running = true,
      .agent = std::move(agent)};
}

GuestReports told(std::map<std::string, HostFile::Domain> domains) {
  HostFile file;
  file.domains[uri].domains = std::move(domains);
  SimHost sim(file);
  auto host = sim.host();
  const auto asked = guest_reports::ask(uri, host);
  EXPECT_TRUE(asked) << asked.error().message;
  return asked.value_or(GuestReports{});
}

GuestReport told_by(HostFile::Agent agent) {
  return told({{"a", guest("a", std::move(agent))}}).at(0);
}

TEST(GuestReports, TellWhatIsInstalledWhatIsLoadedAndTheLicence) {
  const auto report =
      told_by({.system = "debian", .installed = "535.161.07", .loaded = "535.129.03", .licensed = true});
  EXPECT_EQ(*report.system, "debian");
  EXPECT_EQ(*report.installed, "535.161.07");
  EXPECT_EQ(*report.loaded, "535.129.03");
  EXPECT_EQ(*report.license, "licensed");
  const auto windows = told_by({.system = "mswindows", .installed = "538.33", .loaded = "538.33"});
  EXPECT_EQ(*windows.installed, "538.33");
  EXPECT_EQ(*windows.license, "unlicensed");
}

TEST(GuestReports, TellThatThereIsNone) {
  for (const char* system : {"debian", "mswindows"}) {
    const auto report = told_by({.system = system});
    EXPECT_TRUE(report.installed.is_absent()) << system;
    EXPECT_TRUE(report.loaded.is_absent()) << system;
    EXPECT_TRUE(report.license.is_absent()) << system;
  }
}

TEST(GuestReports, AreUnknownWhereTheAgentDoesNotTell) {
  const auto none = told({{"a", guest("a", std::nullopt)}}).at(0);
  ASSERT_TRUE(none.loaded.is_unknown());
  EXPECT_THAT(none.loaded.reason(), HasSubstr("no agent that answers"));
  const auto refused = told_by({.system = "rhel",
                                .installed = "1.1",
                                .loaded = "1.1",
                                .refuses_commands = true,
                                .refuses_files = true});
  EXPECT_TRUE(refused.installed.is_unknown());
  EXPECT_TRUE(refused.loaded.is_unknown());
  EXPECT_TRUE(refused.license.is_unknown());
}

TEST(GuestReports, TakeNoOtherWordThanAVersion) {
  const auto report = told_by({.system = "debian", .installed = "1.1\x1b[31m", .loaded = "a b"});
  EXPECT_TRUE(report.installed.is_unknown());
  EXPECT_TRUE(report.loaded.is_unknown());
}

TEST(GuestReports, AreAskedOfRunningGuestsWithADevice) {
  auto off = guest("off", HostFile::Agent{.system = "debian"});
  off.running = false;
  HostFile::Domain plain{.definition = "<domain type='kvm'><name>plain</name></domain>", .running = true};
  EXPECT_THAT(told({{"off", off}, {"plain", plain}}), IsEmpty());
}

TEST(GuestReports, AreKeptForThoseThatAreNotAskedAgain) {
  SimHost sim(HostFile{});
  auto host = sim.host();
  GuestReport one{.connection = uri, .name = "b", .uuid = "1", .asked = "2026-01-01T12:00:00Z"};
  one.loaded = Observed<std::string>::unknown("why");
  GuestReport two{.connection = uri, .name = "a", .uuid = "2", .asked = "2026-01-01T12:00:00Z"};
  ASSERT_TRUE(guest_reports::store({one}, host.view.files, host.files));
  ASSERT_TRUE(guest_reports::store({two}, host.view.files, host.files));
  two.installed = std::string("1.2");
  ASSERT_TRUE(guest_reports::store({two}, host.view.files, host.files));
  EXPECT_EQ(guest_reports::load(host.view.files).value_or(GuestReports{}), (GuestReports{two, one}));
  ASSERT_TRUE(host.files.replace(guest_reports::path, R"({"format_version":1,"guests":[{"name":7}]})"));
  EXPECT_EQ(guest_reports::load(host.view.files).error().kind, ErrorKind::invalid);
}

}  // namespace
}  // namespace gpuhost::testing
