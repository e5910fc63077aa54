#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/text.hpp"
#include "guest_host.hpp"
#include "host/sim/recordable_domain.hpp"
#include "host/sim/recorder.hpp"
#include "host/sim/sim_guests.hpp"
#include "host/sim/sim_host.hpp"

namespace gpuhost {
namespace {

constexpr const char* secret_xml =
    R"(<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>a&amp;b</name>
  <uuid>00000000-0000-4000-8000-000000000001</uuid>
  <title>project secret-title</title>
  <metadata>
    <nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">
      <nova:owner><nova:user uuid="secret-user">secret</nova:user></nova:owner>
    </nova:instance>
  </metadata>
  <devices>
    <disk type='network'><auth username='secret'><secret type='ceph' uuid='secret'/></auth></disk>
    <hostdev mode='subsystem' type='pci' managed='yes'>
      <source><address domain='0x0000' bus='0x41' slot='0x00' function='0x1'/></source>
      <rom file='/secret.rom'/>
    </hostdev>
    <graphics type='vnc' passwd='secret'/>
    <hostdev mode='subsystem' type='mdev' model='vfio-pci' display='on'>
      <source><address uuid='11111111-2222-4333-8444-555555555501'/></source>
    </hostdev>
    <hostdev mode='subsystem' type='usb'><source><vendor id='0x1050'/></source></hostdev>
  </devices>
  <qemu:commandline><qemu:arg value='secret'/></qemu:commandline>
</domain>
)";

TEST(RecordedGuests, OfADomainHoldsWhatPlanningNeedsAndNothingElse) {
  EXPECT_EQ(recordable_domain_xml(secret_xml), R"(<domain>
  <name>a&amp;b</name>
  <uuid>00000000-0000-4000-8000-000000000001</uuid>
  <metadata>
    <nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1"/>
  </metadata>
  <devices>
    <hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0000' bus='0x41' slot='0x00' function='0x1'/></source></hostdev>
    <hostdev mode='subsystem' type='mdev' managed='no' model='vfio-pci'><source><address uuid='11111111-2222-4333-8444-555555555501'/></source></hostdev>
  </devices>
</domain>
)");
}

TEST(RecordedGuests, OfADomainKeepsWhatIsReadOfIt) {
  const std::string kubevirt =
      "<domain><name>a</name><metadata><kubevirt "
      "xmlns='http://kubevirt.io'><uid/></kubevirt></metadata></domain>";
  for (const std::string& xml : {std::string(secret_xml), kubevirt, domain_xml("train-01")}) {
    const auto live = read_domain_xml(xml);
    const std::string recorded = recordable_domain_xml(xml);
    const auto read = read_domain_xml(recorded);
    ASSERT_TRUE(live && read) << recorded;
    EXPECT_EQ(read->name, live->name);
    EXPECT_EQ(read->keeper, live->keeper);
    ASSERT_EQ(read->host_devices.size(), live->host_devices.size());
    for (std::size_t i = 0; i < read->host_devices.size(); ++i) {
      EXPECT_EQ(read->host_devices[i].device, live->host_devices[i].device);
      EXPECT_EQ(read->host_devices[i].managed, live->host_devices[i].managed);
    }
    EXPECT_EQ(recordable_domain_xml(recorded), recorded) << "nothing is lost by recording a record";
  }
  EXPECT_FALSE(read_domain_xml(recordable_domain_xml("<network>secret</network>")));
  EXPECT_EQ(recordable_domain_xml("<network>secret</network>").find("secret"), std::string::npos);
}

/// What planning makes of domains and processes, as text.
std::string look_at_guests(const HostView& view) {
  std::string seen;
  for (const char* connection : {qemu, "lxc:///", "test:///default"}) {
    const auto domains = view.domains.domains(connection);
    seen += domains ? "domains:\n" : domains.error().message + "\n";
    for (const auto& domain : domains.value_or(std::vector<Domain>{})) {
      seen += fmt::format("{} {} {} {} {}\n", domain.name, domain.uuid, domain.persistent, domain.running,
                          domain.autostart);
      for (const auto& xml : {domain.definition, domain.live}) {
        const auto read = read_domain_xml(xml).value_or(DomainXml{});
        for (const auto& device : read.host_devices) {
          seen += fmt::format("  {} {}\n", to_string(device.device), device.managed);
        }
        seen += " -\n";
      }
    }
  }
  const auto processes = view.processes.device_users();
  if (!processes) seen += processes.error().message;
  for (const auto& process : processes.value_or(std::vector<Process>{})) {
    seen +=
        fmt::format("{} {} {} {}\n", process.pid, process.name, process.cgroup, join(process.devices, " "));
  }
  return seen;
}

HostFile host_with_guests() {
  auto made = guest_host();
  made.domains["lxc:///"].unknown = Error{ErrorKind::denied, "authentication failed"};
  add_domain(made, "off-01", pci_element("0", "yes")).autostart = true;
  auto& changed = add_domain(made, "changed-02", mdev_element(free_mdev));
  changed.running = true;
  changed.live = domain_xml("changed-02", mdev_element(other_mdev));
  auto& transient = add_domain(made, "transient-03", "    <graphics passwd='secret'/>\n");
  transient.running = true;
  transient.persistent = false;
  made.processes[4712] = {"python3", "/user.slice/a.scope", {"/dev/nvidiactl"}};
  return made;
}

TEST(RecordedGuests, AreSeenAsTheLiveOnes) {
  const SimHost live(host_with_guests());
  std::string seen;
  const auto recorded = record_host(live.view(), [&](const HostView& view) { seen = look_at_guests(view); });
  EXPECT_EQ(look_at_guests(SimHost(recorded).view()), seen);
  const auto written = write_host_file(recorded);
  EXPECT_EQ(written.find("secret"), std::string::npos);
  Diagnostics diagnostics;
  const auto again = decode_host_file(diagnostics.add_source({"host.yaml", written}), diagnostics);
  ASSERT_TRUE(again) << diagnostics.render();
  EXPECT_EQ(look_at_guests(SimHost(*again).view()), seen);
}

TEST(RecordedGuests, HoldsTheDomainsThatWereAskedFor) {
  const SimHost live(host_with_guests());
  const auto recorded = record_host(live.view(), [](const HostView& view) {
    EXPECT_TRUE(view.domains.domain(qemu, "off-01"));
    EXPECT_FALSE(view.domains.domain(qemu, "none"));
  });
  ASSERT_EQ(recorded.domains.size(), 1U);
  EXPECT_EQ(recorded.domains.at(qemu).domains.size(), 1U);
  EXPECT_TRUE(recorded.domains.at(qemu).domains.contains("off-01"));
  EXPECT_TRUE(recorded.processes.empty()) << "nobody asked";
}

TEST(RecordedGuests, HoldsThatLibvirtCannotBeReached) {
  auto file = host_with_guests();
  file.domains.clear();
  SimHost live(file);
  const auto recorded = record_host(live.view(), [](const HostView& view) {
    EXPECT_FALSE(view.domains.domains(qemu));
    EXPECT_FALSE(view.domains.domain("test:///default", "a"));
  });
  EXPECT_EQ(recorded.domains.at(qemu).unknown, live.view().domains.domains(qemu).error());
  EXPECT_EQ(recorded.domains.at("test:///default").unknown->kind, ErrorKind::unavailable);
  EXPECT_EQ(SimHost(recorded).view().domains.domains(qemu).error(),
            live.view().domains.domains(qemu).error());
}

TEST(RecordedGuests, HoldsNoHalfListOfDomains) {
  SimHost live(host_with_guests());
  live.inject("domains.domains qemu:///system", 2, {ErrorKind::unavailable, "libvirt went away"});
  const auto recorded = record_host(live.view(), [](const HostView& view) {
    EXPECT_TRUE(view.domains.domains(qemu));
    EXPECT_FALSE(view.domains.domains(qemu));
  });
  EXPECT_TRUE(recorded.domains.at(qemu).domains.empty());
  EXPECT_EQ(recorded.domains.at(qemu).unknown->message, "libvirt went away");
}

TEST(RecordedGuests, HoldsThatProcessesCannotBeTold) {
  auto file = host_with_guests();
  file.processes_unknown = Error{ErrorKind::denied, "only root can tell", "run as root"};
  const SimHost live(file);
  const auto recorded =
      record_host(live.view(), [](const HostView& view) { EXPECT_FALSE(view.processes.device_users()); });
  EXPECT_EQ(recorded.processes_unknown, file.processes_unknown);
}

}  // namespace
}  // namespace gpuhost
