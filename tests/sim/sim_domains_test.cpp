#include <gtest/gtest.h>

#include "guest_host.hpp"
#include "host/sim/sim_host.hpp"

namespace gpuhost {
namespace {

using namespace std::chrono_literals;

/// A host with one domain, which has these devices.
struct Libvirt {
  explicit Libvirt(HostFile file) : sim(std::move(file)) {}

  DomainWriter& writer() { return sim.host().domains; }
  Domain domain(const std::string& name) { return sim.view().domains.domain(qemu, name).value_or(Domain{}); }
  bool runs(const std::string& name) { return domain(name).running; }
  Result<void> start(const std::string& name) { return writer().start(qemu, name); }

  SimHost sim;
};

HostFile host_with(const std::string& devices) {
  auto host = guest_host();
  add_domain(host, "train-01", devices);
  return host;
}

std::string message(const Result<void>& result) {
  return result ? "" : result.error().message;
}

TEST(SimDomains, WithoutTheSectionLibvirtCannotBeReached) {
  HostFile file = guest_host();
  file.domains.clear();
  SimHost sim(file);
  const auto domains = sim.view().domains.domains(qemu);
  ASSERT_FALSE(domains);
  EXPECT_EQ(domains.error().kind, ErrorKind::unavailable);
  EXPECT_TRUE(domains.error().message.starts_with("cannot connect to libvirt at qemu:///system: "));
  EXPECT_EQ(sim.host().domains.start(qemu, "a").error().kind, ErrorKind::unavailable);
  EXPECT_EQ(sim.host().domains.define(qemu, domain_xml("a-01")).error().kind, ErrorKind::unavailable);
}

TEST(SimDomains, LibvirtAnswersWhileAnyOfItsUnitsIsUp) {
  auto file = host_with("");
  file.units["libvirtd.service"].state = {"loaded", "inactive", "dead", "disabled"};
  file.units["libvirtd.socket"].state = {"loaded", "active", "listening", "enabled"};
  Libvirt libvirt(file);
  EXPECT_TRUE(libvirt.sim.view().domains.domains(qemu));
  ASSERT_TRUE(libvirt.sim.host().units.stop("libvirtd.socket", 10s));
  EXPECT_EQ(libvirt.sim.view().domains.domains(qemu).error().kind, ErrorKind::unavailable);
}

TEST(SimDomains, AConnectionMayAnswerWithAnError) {
  auto file = guest_host();
  file.domains[qemu].unknown =
      Error{ErrorKind::denied, "cannot connect: authentication failed", "run as root"};
  const SimHost sim(file);
  EXPECT_EQ(sim.view().domains.domains(qemu).error(), *file.domains[qemu].unknown);
}

TEST(SimDomains, ShowsDomainsByName) {
  auto file = host_with("");
  add_domain(file, "spare-02");
  Libvirt libvirt(file);
  const auto domains = libvirt.sim.view().domains.domains(qemu);
  ASSERT_TRUE(domains);
  ASSERT_EQ(domains->size(), 2U);
  EXPECT_EQ(domains->at(0).name, "spare-02");
  EXPECT_EQ(domains->at(1), libvirt.domain("train-01"));
  EXPECT_EQ(domains->at(1).uuid, "00000000-0000-4000-8000-000000000001");
  EXPECT_EQ(domains->at(1).definition, domain_xml("train-01"));
  EXPECT_EQ(domains->at(1).live, "");
  EXPECT_EQ(libvirt.sim.view().domains.domain(qemu, "none").error().kind, ErrorKind::not_found);
  EXPECT_EQ(libvirt.start("none").error().kind, ErrorKind::not_found);
}

TEST(SimDomains, AlwaysShowsAUuid) {
  auto file = guest_host();
  file.domains[qemu].domains["a"].definition = "<domain>\n  <name>a</name>\n  <devices/>\n</domain>\n";
  Libvirt libvirt(file);
  const auto shown = libvirt.domain("a");
  ASSERT_FALSE(shown.uuid.empty());
  EXPECT_EQ(shown.definition,
            "<domain>\n  <name>a</name>\n  <uuid>" + shown.uuid + "</uuid>\n  <devices/>\n</domain>\n");
  EXPECT_TRUE(libvirt.writer().define(qemu, shown.definition)) << "it is the same domain";
}

TEST(SimDomains, ShowsReadersNoPassword) {
  Libvirt libvirt(host_with("    <graphics type='vnc' x='a>b'\n passwd='secret' passwdValidTo='t'/>\n"));
  ASSERT_TRUE(libvirt.start("train-01"));
  const auto shown = libvirt.domain("train-01");
  EXPECT_EQ(shown.definition, domain_xml("train-01",
                                         "    <graphics type='vnc' x='a>b'\n passwd='*****' "
                                         "passwdValidTo='t'/>\n"));
  EXPECT_EQ(shown.live, shown.definition);
  EXPECT_EQ(libvirt.writer().full_definition(qemu, "train-01"),
            libvirt.sim.file().domains.at(qemu).domains.at("train-01").definition);
}

TEST(SimDomains, DefineReplacesTheDefinitionAndLeavesTheGuestAlone) {
  Libvirt libvirt(host_with(mdev_element(free_mdev)));
  ASSERT_TRUE(libvirt.start("train-01"));
  const auto changed = domain_xml("train-01", "    <unheard-of how='very'/>\n");
  ASSERT_TRUE(libvirt.writer().define(qemu, changed));
  EXPECT_EQ(libvirt.domain("train-01").definition, changed);
  EXPECT_EQ(libvirt.domain("train-01").live, domain_xml("train-01", mdev_element(free_mdev)));
  ASSERT_TRUE(libvirt.writer().destroy(qemu, "train-01"));
  ASSERT_TRUE(libvirt.start("train-01"));
  EXPECT_EQ(libvirt.domain("train-01").live, changed);
}

TEST(SimDomains, DefineMakesADomain) {
  Libvirt libvirt(guest_host());
  ASSERT_TRUE(libvirt.writer().define(qemu, domain_xml("train-03")));
  const auto made = libvirt.domain("train-03");
  EXPECT_TRUE(made.persistent);
  EXPECT_FALSE(made.running || made.autostart);
}

TEST(SimDomains, DefineRefusesAnotherUuidOrName) {
  Libvirt libvirt(host_with(""));
  auto xml = domain_xml("train-01");
  xml.replace(xml.find("<uuid>0"), 7, "<uuid>1");
  EXPECT_EQ(message(libvirt.writer().define(qemu, xml)),
            "cannot define a domain of qemu:///system: operation failed: domain 'train-01' already exists "
            "with uuid "
            "00000000-0000-4000-8000-000000000001");
  EXPECT_EQ(message(libvirt.writer().define(qemu, domain_xml("other-01"))),
            "cannot define a domain of qemu:///system: operation failed: domain 'train-01' is already "
            "defined with uuid "
            "00000000-0000-4000-8000-000000000001");
  EXPECT_FALSE(libvirt.writer().define(qemu, "<domain><name>train-01</name></domain>"))
      << "libvirt makes up another UUID";
  EXPECT_EQ(libvirt.writer().define(qemu, "<network/>").error().kind, ErrorKind::invalid);
}

TEST(SimDomains, StartsAndStops) {
  Libvirt libvirt(host_with(pci_element("0") + mdev_element(free_mdev)));
  ASSERT_TRUE(libvirt.start("train-01")) << "a bridge in the group does not matter";
  EXPECT_TRUE(libvirt.runs("train-01"));
  EXPECT_TRUE(libvirt.start("train-01")) << "it runs";
  ASSERT_TRUE(libvirt.writer().shut_down(qemu, "train-01", 10s));
  EXPECT_FALSE(libvirt.runs("train-01"));
  EXPECT_TRUE(libvirt.writer().shut_down(qemu, "train-01", 10s)) << "it is off";
  EXPECT_TRUE(libvirt.writer().destroy(qemu, "train-01"));
}

TEST(SimDomains, AGuestMayIgnoreShutdownUntilTheLimit) {
  auto file = host_with("");
  auto& domain = file.domains[qemu].domains["train-01"];
  domain.running = domain.ignores_shutdown = true;
  Libvirt libvirt(file);
  const auto before = libvirt.sim.view().clock.since_boot();
  const auto stopped = libvirt.writer().shut_down(qemu, "train-01", 180s);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().kind, ErrorKind::timed_out);
  EXPECT_EQ(stopped.error().message, "cannot shut down domain train-01: its guest did not end within 180 s");
  EXPECT_GE(libvirt.sim.view().clock.since_boot() - before, 180s);
  EXPECT_TRUE(libvirt.runs("train-01"));
  ASSERT_TRUE(libvirt.writer().destroy(qemu, "train-01"));
  EXPECT_FALSE(libvirt.runs("train-01"));
}

TEST(SimDomains, AGuestWithHostDevicesCannotBeSaved) {
  Libvirt libvirt(host_with(mdev_element(free_mdev)));
  EXPECT_TRUE(libvirt.writer().managed_save(qemu, "train-01")) << "it is off";
  ASSERT_TRUE(libvirt.start("train-01"));
  const auto saved = libvirt.writer().managed_save(qemu, "train-01");
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().kind, ErrorKind::unsupported);
  EXPECT_TRUE(saved.error().message.ends_with("a domain with <hostdev mode='subsystem' type='mdev'>"));
  EXPECT_TRUE(libvirt.runs("train-01"));
}

TEST(SimDomains, ASavedGuestGoesOnAsItWas) {
  Libvirt libvirt(host_with(""));
  ASSERT_TRUE(libvirt.start("train-01"));
  ASSERT_TRUE(libvirt.writer().managed_save(qemu, "train-01"));
  EXPECT_FALSE(libvirt.runs("train-01"));
  const auto changed = domain_xml("train-01", mdev_element(free_mdev));
  ASSERT_TRUE(libvirt.writer().define(qemu, changed));
  ASSERT_TRUE(libvirt.sim.reboot());
  ASSERT_TRUE(libvirt.start("train-01"));
  EXPECT_EQ(libvirt.domain("train-01").live, domain_xml("train-01"));
  ASSERT_TRUE(libvirt.writer().destroy(qemu, "train-01"));
  ASSERT_TRUE(libvirt.start("train-01"));
  EXPECT_EQ(libvirt.domain("train-01").live, changed);
}

TEST(SimDomains, ATransientDomainIsGoneWhenItStops) {
  auto file = host_with("");
  auto& domain = file.domains[qemu].domains["train-01"];
  domain.persistent = false;
  domain.running = true;
  Libvirt libvirt(file);
  EXPECT_EQ(libvirt.domain("train-01").definition, "");
  EXPECT_EQ(libvirt.domain("train-01").live, domain_xml("train-01"));
  EXPECT_FALSE(libvirt.writer().set_autostart(qemu, "train-01", true));
  EXPECT_EQ(libvirt.writer().managed_save(qemu, "train-01").error().kind, ErrorKind::unsupported);
  EXPECT_EQ(libvirt.writer().full_definition(qemu, "train-01").error().kind, ErrorKind::unsupported);
  ASSERT_TRUE(libvirt.writer().shut_down(qemu, "train-01", 10s));
  EXPECT_EQ(libvirt.sim.view().domains.domain(qemu, "train-01").error().kind, ErrorKind::not_found);
}

TEST(SimDomains, DefiningATransientDomainKeepsIt) {
  auto file = host_with("");
  auto& domain = file.domains[qemu].domains["train-01"];
  domain.persistent = false;
  domain.running = true;
  Libvirt libvirt(file);
  ASSERT_TRUE(libvirt.writer().define(qemu, domain_xml("train-01")));
  ASSERT_TRUE(libvirt.writer().destroy(qemu, "train-01"));
  EXPECT_TRUE(libvirt.domain("train-01").persistent);
}

TEST(SimDomains, AttachesToTheGuestAndNotToTheDefinition) {
  Libvirt libvirt(host_with(""));
  EXPECT_EQ(libvirt.writer().attach(qemu, "train-01", mdev_element(free_mdev)).error().kind, ErrorKind::busy)
      << "it is off";
  ASSERT_TRUE(libvirt.start("train-01"));
  ASSERT_TRUE(libvirt.writer().attach(qemu, "train-01", mdev_element(free_mdev)));
  EXPECT_NE(libvirt.domain("train-01").live.find(free_mdev), std::string::npos);
  EXPECT_EQ(libvirt.domain("train-01").definition, domain_xml("train-01"));
  const auto again = libvirt.writer().attach(qemu, "train-01", mdev_element(free_mdev));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::busy);
  EXPECT_EQ(libvirt.writer().attach(qemu, "train-01", "<disk/>").error().kind, ErrorKind::unsupported);
  EXPECT_EQ(libvirt.writer().attach(qemu, "train-01", "<hostdev").error().kind, ErrorKind::invalid);
  EXPECT_EQ(message(libvirt.writer().attach(qemu, "train-01", pci_element("7"))),
            "cannot attach a device to domain train-01: Device 0000:41:00.7 not found: could not access "
            "/sys/bus/pci/devices/0000:41:00.7/config: No such file or directory");
}

TEST(SimDomains, DetachesFromTheGuestAndNotFromTheDefinition) {
  const auto devices = mdev_element(free_mdev) + mdev_element(other_mdev);
  auto file = host_with(devices);
  add_domain(file, "spare-02", mdev_element(free_mdev));
  Libvirt libvirt(file);
  EXPECT_TRUE(libvirt.writer().detach(qemu, "train-01", mdev_element(free_mdev), 10s)) << "it is off";
  ASSERT_TRUE(libvirt.start("train-01"));
  EXPECT_FALSE(libvirt.start("spare-02"));
  ASSERT_TRUE(libvirt.writer().detach(qemu, "train-01", mdev_element(free_mdev), 10s));
  EXPECT_EQ(libvirt.domain("train-01").live.find(free_mdev), std::string::npos);
  EXPECT_NE(libvirt.domain("train-01").live.find(other_mdev), std::string::npos);
  EXPECT_EQ(libvirt.domain("train-01").definition, domain_xml("train-01", devices));
  EXPECT_TRUE(libvirt.start("spare-02")) << "the device is free";
  EXPECT_TRUE(libvirt.writer().detach(qemu, "train-01", mdev_element(free_mdev), 10s)) << "it is not there";
  EXPECT_EQ(libvirt.writer().detach(qemu, "train-01", "<disk/>", 10s).error().kind, ErrorKind::unsupported);
}

TEST(SimDomains, AGuestMayNotLetGoUntilTheLimit) {
  auto file = host_with(pci_element("0"));
  file.domains[qemu].domains["train-01"].refuses_detach = true;
  Libvirt libvirt(file);
  ASSERT_TRUE(libvirt.start("train-01"));
  const auto before = libvirt.sim.view().clock.since_boot();
  const auto detached = libvirt.writer().detach(qemu, "train-01", pci_element("0"), 30s);
  ASSERT_FALSE(detached);
  EXPECT_EQ(detached.error().kind, ErrorKind::timed_out);
  EXPECT_EQ(detached.error().message,
            "cannot detach a device from domain train-01: its guest did not let go of it within 30 s");
  EXPECT_GE(libvirt.sim.view().clock.since_boot() - before, 30s);
  EXPECT_NE(libvirt.domain("train-01").live.find("0x41"), std::string::npos);
}

TEST(SimDomains, OnlyAutostartComesUpAgain) {
  auto file = host_with(pci_element("0"));
  file.domains[qemu].domains["train-01"].running = true;
  auto& back = add_domain(file, "back-02", pci_element("0", "no", "0x42"));
  back.running = back.autostart = true;
  back.live = domain_xml("back-02");
  auto& gone = add_domain(file, "gone-03");
  gone.running = true;
  gone.persistent = false;
  auto& lacking = add_domain(file, "lack-04", pci_element("6"));
  lacking.autostart = true;
  Libvirt libvirt(file);
  ASSERT_TRUE(libvirt.sim.reboot());
  EXPECT_FALSE(libvirt.runs("train-01"));
  EXPECT_TRUE(libvirt.runs("back-02"));
  EXPECT_EQ(libvirt.domain("back-02").live, back.definition);
  EXPECT_FALSE(libvirt.runs("lack-04")) << "its device is not there";
  EXPECT_TRUE(libvirt.domain("lack-04").autostart);
  EXPECT_FALSE(libvirt.sim.view().domains.domain(qemu, "gone-03"));
}

TEST(SimDomains, NothingComesUpWithoutLibvirt) {
  auto file = host_with("");
  file.domains[qemu].domains["train-01"].autostart = true;
  file.units["libvirtd.service"].state = {"loaded", "active", "running", "disabled"};
  Libvirt libvirt(file);
  ASSERT_TRUE(libvirt.sim.reboot());
  ASSERT_TRUE(libvirt.sim.host().units.start("libvirtd.service", 10s));
  EXPECT_FALSE(libvirt.runs("train-01"));
}

TEST(SimDomains, AreWrittenBackAndReadAgain) {
  Libvirt libvirt(host_with(mdev_element(free_mdev)));
  ASSERT_TRUE(libvirt.start("train-01"));
  ASSERT_TRUE(libvirt.writer().set_autostart(qemu, "train-01", true));
  ASSERT_TRUE(libvirt.writer().attach(qemu, "train-01", mdev_element(other_mdev)));
  const auto written = write_host_file(libvirt.sim.file());
  Diagnostics diagnostics;
  const auto again = decode_host_file(diagnostics.add_source({"host.yaml", written}), diagnostics);
  ASSERT_TRUE(again) << diagnostics.render();
  EXPECT_EQ(*again, libvirt.sim.file());
  EXPECT_EQ(write_host_file(*again), written);
  EXPECT_EQ(*SimHost(*again).view().domains.domains(qemu), *libvirt.sim.view().domains.domains(qemu));
}

TEST(SimDomains, CallsAreWrittenDownAndCanFail) {
  Libvirt libvirt(host_with(""));
  libvirt.sim.inject("domains.start train-01", 1, {ErrorKind::io, "no memory"});
  EXPECT_EQ(message(libvirt.start("train-01")), "no memory");
  EXPECT_TRUE(libvirt.start("train-01"));
  const auto accesses = libvirt.sim.accesses();
  ASSERT_EQ(accesses.size(), 2U);
  EXPECT_EQ(accesses[0].call, "domains.start");
  EXPECT_TRUE(accesses[0].write);
}

}  // namespace
}  // namespace gpuhost
