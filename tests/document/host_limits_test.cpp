#include "kinds/host_limits.hpp"

#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/source_folder.hpp"

namespace gpuhost {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Sort = LimitedPart::Sort;

std::optional<HostLimits> decode(const std::string& body) {
  Diagnostics diagnostics;
  diagnostics.add_source({"local.yaml", "apiVersion: gpuhost/v1\nkind: HostLimits\n" + body});
  return decode_host_limits(diagnostics);
}

std::vector<std::string> forbidden_addresses(const HostLimits& limits,
                                             const std::vector<LimitedPart>& parts) {
  std::vector<std::string> addresses;
  for (const auto& note : forbidden(parts, limits)) addresses.push_back(note.address);
  return addresses;
}

TEST(HostLimits, TheExampleIsValid) {
  std::ifstream file(testing::source_folder() / "examples/local.yaml", std::ios::binary);
  Diagnostics diagnostics;
  diagnostics.add_source({"local.yaml", {std::istreambuf_iterator<char>(file), {}}});
  const auto limits = decode_host_limits(diagnostics);
  ASSERT_TRUE(limits) << diagnostics.render();
  EXPECT_EQ(limits->ceiling.disruption, Disruption::stop_units);
}

TEST(HostLimits, AnAbsentKeyLimitsNothing) {
  const auto limits = decode("");
  ASSERT_TRUE(limits);
  EXPECT_FALSE(limits->ceiling.disruption);
  EXPECT_THAT(forbidden_addresses(*limits, {{Sort::source, "/tmp/x.run", "driver.source"},
                                            {Sort::parameter, "iommu", "kernel.parameters[iommu]"},
                                            {Sort::module, "vfio", "kernel.modules[vfio]"}}),
              IsEmpty());
}

TEST(HostLimits, AMergedDriverIsAllowedByItsVeryNameOnly) {
  const std::string merged = "/srv/NVIDIA-Linux-x86_64-460.73.01-grid-vgpu-kvm-v5.run";
  const std::vector<LimitedPart> parts{{Sort::source, merged, "driver.source"}};
  EXPECT_THAT(forbidden_addresses({}, parts), ElementsAre("driver.source"));
  EXPECT_THAT(forbidden_addresses({.sources = {{"/srv/*"}}}, parts), ElementsAre("driver.source"));
  EXPECT_THAT(forbidden_addresses({.sources = {{merged}}}, parts), IsEmpty());
  EXPECT_THAT(
      forbidden_addresses({}, {{Sort::source, "/srv/NVIDIA-Linux-x86_64-460.73.02-vgpu-kvm.run", "a"}}),
      IsEmpty());
}

TEST(HostLimits, AListIsExhaustive) {
  const auto limits = decode("kernel: {modules: [], parameters: [vfio-pci.*]}\nsources: [nvidia-*]\n");
  ASSERT_TRUE(limits);
  EXPECT_THAT(forbidden_addresses(*limits, {{Sort::parameter, "vfio_pci.ids", "a"},
                                            {Sort::parameter, "xvfio_pci.ids", "b"},
                                            {Sort::module, "vfio", "c"},
                                            {Sort::source, "nvidia-driver", "d"},
                                            {Sort::source, "/srv/nvidia-driver", "e"}}),
              ElementsAre("b", "c", "e"));
}

TEST(HostLimits, ProtectAddsUpAndTheLowestDisruptionHolds) {
  const auto limits = decode("disruption: reset-gpu\nprotect: {vms: [a], gpus: ['0000:41:00.0']}\n");
  ASSERT_TRUE(limits);
  Policy policy{.disruption = Disruption::stop_units, .protected_vms = {"b"}};
  policy.hold_below(limits->ceiling);
  EXPECT_EQ(policy.disruption, Disruption::stop_units);
  EXPECT_THAT(policy.protected_vms, ElementsAre("a", "b"));
  EXPECT_THAT(policy.protected_gpus, ElementsAre(*PciAddress::parse("0000:41:00.0")));
  EXPECT_EQ(policy.way_to_allow(Disruption::reset_gpu), "set policy.disruption to reset-gpu to allow it");
  EXPECT_THAT(policy.way_to_allow(Disruption::reboot),
              ::testing::HasSubstr("no document do more than reset-gpu"));
}

TEST(HostLimits, WhatADocumentNamesThatCanBeLimited) {
  Diagnostics diagnostics;
  diagnostics.add_source(
      {"a.yaml",
       "apiVersion: gpuhost/v1\nkind: HostState\nmetadata: {name: t}\n"
       "kernel: {parameters: {iommu: pt}, modules: {vfio-pci: {state: loaded}}}\n"
       "driver: {flavor: datacenter, version: 580.159.01, source: {package: nvidia-driver}}\n"
       "vms: [{name: a, guestDriver: {version: 580.159.01, source: {package: nvidia-guest}}}]\n"});
  const auto specs = decode_specs(diagnostics);
  ASSERT_TRUE(specs) << diagnostics.render();
  std::vector<std::string> found;
  for (const auto& part : limited_parts(*specs)) found.push_back(part.address + " " + part.name);
  EXPECT_THAT(found, ElementsAre("kernel.parameters[iommu] iommu", "kernel.modules[vfio_pci] vfio-pci",
                                 "driver.source nvidia-driver", "vm[a].guestDriver.source nvidia-guest"));
}

}  // namespace
}  // namespace gpuhost
