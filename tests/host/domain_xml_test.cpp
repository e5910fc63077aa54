#include "host/domain_xml.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gpuhost::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Device = std::variant<PciAddress, Uuid>;

const Device gpu = *PciAddress::parse("0000:61:00.0");
const Device vgpu = *Uuid::parse("aaaaaaaa-bbbb-5ccc-8ddd-eeeeeeeeeeee");

/// With what libvirt and others put into a domain: both quotes, entities, comments, CDATA, other host
/// devices.
const std::string domain = R"(<?xml version="1.0"?>
<domain type='kvm' id="3" xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>train &amp; infer</name>
  <metadata>
    <app:note xmlns:app="http://example.org/app"><![CDATA[<hostdev mode='subsystem' type='pci'>]]></app:note>
  </metadata>
  <devices>
    <disk type='file' device='disk'><source file="/a'b&quot;>c"/></disk>
    <!-- <hostdev mode='subsystem' type='pci' managed='yes'> -->
    <hostdev mode='subsystem' type='usb' managed='yes'><source><vendor id='0x1234'/></source></hostdev>
    <hostdev mode='subsystem' type='pci' managed='yes'>
      <driver name='vfio'/>
      <source>
        <address domain='0x0000' bus='0x61' slot='0x00' function='0x0'/>
      </source>
      <alias name='hostdev1'/>
      <address type='pci' domain='0x0000' bus='0x06' slot='0x00' function='0x0'/>
    </hostdev>
    <hostdev mode="subsystem" type="mdev" model='vfio-pci'><source><address uuid='AAAAAAAA-bbbb-5ccc-8ddd-eeeeeeeeeeee'/></source></hostdev>
    <memballoon model='virtio'/>
  </devices>
  <qemu:commandline><qemu:arg value='-d'/></qemu:commandline>
</domain>
)";

/// The text without the stretch from `begin` to the end of `end`.
std::string without(std::string text, const std::string& begin, const std::string& end) {
  const auto from = text.find(begin);
  return text.erase(from, text.find(end, from) + end.size() - from);
}

std::string changed(std::string_view xml, const std::vector<Device>& removed,
                    const std::vector<Device>& unmanaged, const std::vector<std::string>& added) {
  const auto result = with_host_devices(xml, removed, unmanaged, added);
  return result ? *result : result.error().message;
}

TEST(DomainXml, ReadsTheHostDevicesThatMayBeGpus) {
  const auto read = read_domain_xml(domain);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->name, "train & infer");
  EXPECT_EQ(read->keeper, DomainKeeper::none);
  ASSERT_EQ(read->host_devices.size(), 2U);
  EXPECT_EQ(read->host_devices[0].device, gpu);
  EXPECT_TRUE(read->host_devices[0].managed);
  EXPECT_TRUE(read->host_devices[0].element.starts_with("<hostdev mode='subsystem' type='pci'"));
  EXPECT_TRUE(read->host_devices[0].element.ends_with("function='0x0'/>\n    </hostdev>"));
  EXPECT_EQ(read->host_devices[1].device, vgpu);
  EXPECT_FALSE(read->host_devices[1].managed);
}

TEST(DomainXml, WithoutAChangeItIsTheSameText) {
  EXPECT_EQ(changed(domain, {}, {}, {}), domain);
  EXPECT_EQ(changed(domain, {*PciAddress::parse("0000:62:00.0")}, {}, {}), domain);
}

TEST(DomainXml, TakesADeviceOutWithItsLineAndNothingElse) {
  EXPECT_EQ(changed(domain, {gpu}, {}, {}),
            without(domain, "\n    <hostdev mode='subsystem' type='pci' managed='yes'>\n", "</hostdev>"));
  EXPECT_EQ(changed(domain, {vgpu}, {}, {}),
            without(domain, "\n    <hostdev mode=\"subsystem\"", "</hostdev>"));
}

TEST(DomainXml, ManagedIsChangedInPlace) {
  auto expected = domain;
  const auto at = expected.find("managed='yes'", expected.find("type='pci' managed='yes'>\n"));
  expected.replace(at, 13, "managed='no'");
  EXPECT_EQ(changed(domain, {}, {gpu, vgpu}, {}), expected);
}

TEST(DomainXml, PutsADeviceBehindTheOthers) {
  auto expected = domain;
  const std::string last = "<memballoon model='virtio'/>";
  expected.insert(expected.find(last) + last.size(), "\n    <hostdev/>");
  EXPECT_EQ(changed(domain, {}, {}, {"<hostdev/>"}), expected);
}

TEST(DomainXml, ReplacesTheLastDevice) {
  const std::string xml =
      "<domain><devices>" + mdev_host_device_element(std::get<Uuid>(vgpu)) + "</devices></domain>";
  EXPECT_EQ(
      changed(xml, {vgpu}, {}, {pci_host_device_element(std::get<PciAddress>(gpu))}),
      "<domain><devices>\n    " + pci_host_device_element(std::get<PciAddress>(gpu)) + "</devices></domain>");
}

TEST(DomainXml, ADomainWithoutDevicesGetsThem) {
  EXPECT_EQ(changed("<domain><devices/></domain>", {}, {}, {"<x/>"}),
            "<domain><devices>\n    <x/>\n  </devices></domain>");
  EXPECT_EQ(changed("<domain><name>a</name></domain>", {}, {}, {"<x/>"}),
            "<domain><name>a</name>\n  <devices>\n    <x/>\n  </devices></domain>");
  EXPECT_EQ(changed("<domain type='kvm'/>", {}, {}, {"<x/>"}),
            "<domain type='kvm'>\n  <devices>\n    <x/>\n  </devices>\n</domain>");
}

TEST(DomainXml, WhatStandsBehindTheDomainIsNotTakenForItsEnd) {
  const std::string behind = "<!-- </devices></domain> -->\n";
  EXPECT_EQ(changed("<domain></domain>" + behind, {}, {}, {"<x/>"}),
            "<domain>\n  <devices>\n    <x/>\n  </devices></domain>" + behind);
}

TEST(DomainXml, OnlyTheAttributeItselfIsChanged) {
  const std::string head = "<domain><devices><hostdev note=\"managed='yes'\" unmanaged='yes' managed";
  const std::string tail =
      " mode='subsystem' type='pci'><source><address bus='0x61'/></source></hostdev></devices></domain>";
  EXPECT_EQ(changed(head + " = \"yes\"" + tail, {}, {gpu}, {}), head + " = \"no\"" + tail);
  EXPECT_EQ(changed(head + "='&#121;es'" + tail, {}, {gpu}, {}), head + "='no'" + tail);
}

TEST(DomainXml, EntitiesOfOnesOwnAreNotExpanded) {
  const std::string bomb =
      "<!DOCTYPE domain [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b "
      "'&a;&a;&a;&a;'>]><domain><name>&b;</name></domain>";
  EXPECT_EQ(read_domain_xml(bomb)->name, "&b;");
  EXPECT_EQ(changed(bomb, {}, {}, {}), bomb);
}

TEST(DomainXml, DeeplyNestedTextIsReadAsAnyOther) {
  std::string deep;
  for (int i = 0; i < 200'000; ++i) deep += "<a>";
  for (int i = 0; i < 200'000; ++i) deep += "</a>";
  const auto xml = "<domain>" + deep + "<devices/></domain>";
  EXPECT_EQ(changed(xml, {}, {}, {}), xml);
}

TEST(DomainXml, WhatIsWrittenIsReadBack) {
  for (const auto& device : {gpu, vgpu}) {
    const bool is_pci = std::holds_alternative<PciAddress>(device);
    const auto element = is_pci ? pci_host_device_element(std::get<PciAddress>(device))
                                : mdev_host_device_element(std::get<Uuid>(device));
    const auto read = read_domain_xml(changed(domain, {gpu, vgpu}, {}, {element}));
    ASSERT_TRUE(read.has_value());
    ASSERT_EQ(read->host_devices.size(), 1U);
    EXPECT_EQ(read->host_devices[0].device, device);
    EXPECT_EQ(read->host_devices[0].element, element);
  }
}

TEST(DomainXml, AnAddressMayBeDecimalAndWithoutDomain) {
  const auto read = read_domain_xml(
      "<domain><devices><hostdev mode='subsystem' type='pci'><source><address bus='97' slot='0' "
      "function='0'/>"
      "</source></hostdev></devices></domain>");
  ASSERT_EQ(read->host_devices.size(), 1U);
  EXPECT_EQ(read->host_devices[0].device, gpu);
}

TEST(DomainXml, WhatIsNoAddressIsNoDevice) {
  for (const char* source : {"<address bus='0x100' slot='0' function='0'/>", "<address bus='x'/>",
                             "<address slot='32'/>", "<address function='8'/>", ""}) {
    const auto read =
        read_domain_xml(std::string("<domain><devices><hostdev mode='subsystem' type='pci'><source>") +
                        source + "</source></hostdev></devices></domain>");
    EXPECT_THAT(read->host_devices, IsEmpty()) << source;
  }
}

TEST(DomainXml, TellsWhoKeepsADomain) {
  const auto kept = [](const std::string& metadata) {
    return read_domain_xml("<domain><metadata>" + metadata + "</metadata></domain>")->keeper;
  };
  EXPECT_EQ(kept("<nova:instance xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.1'/>"),
            DomainKeeper::nova);
  EXPECT_EQ(kept("<instance xmlns='http://openstack.org/xmlns/libvirt/nova/1.0'/>"), DomainKeeper::nova);
  EXPECT_EQ(kept("<kubevirt xmlns='http://kubevirt.io'/>"), DomainKeeper::kubevirt);
  EXPECT_EQ(kept("<x xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.1'/>"), DomainKeeper::none);
  EXPECT_EQ(read_domain_xml("<domain xmlns:n='http://openstack.org/xmlns/libvirt/nova/1.1'><metadata>"
                            "<n:instance/></metadata></domain>")
                ->keeper,
            DomainKeeper::nova);
  EXPECT_EQ(kept("<x xmlns='http://libosinfo.org/xmlns/libvirt/domain/1.0'/>"), DomainKeeper::none);
}

TEST(DomainXml, WhatIsNoDomainIsAnError) {
  for (const char* wrong : {"", "text", "<domain>", "<network/>", "<domain><devices></domain>"}) {
    EXPECT_EQ(read_domain_xml(wrong).error().kind, ErrorKind::invalid) << wrong;
    EXPECT_EQ(with_host_devices(wrong, {}, {}, {}).error().kind, ErrorKind::invalid) << wrong;
  }
  EXPECT_THAT(read_domain_xml(std::string(std::size_t{5} << 20U, ' ')).error().message,
              HasSubstr("too large"));
}

}  // namespace
}  // namespace gpuhost::testing
