#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "examples/applying.hpp"
#include "render/plan.hpp"

namespace gpuhost::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// A folder of documents, 1.yaml, 2.yaml …: versions of one that are applied to a host one after another.
std::vector<Example> transitions() {
  std::vector<Example> cases;
  for (const auto& host : std::filesystem::directory_iterator(source_folder() / "tests/cases/transitions"))
    for (const auto& folder : std::filesystem::directory_iterator(host.path()))
      cases.push_back({host.path().filename(), folder.path()});
  std::ranges::sort(cases, {}, &Example::document);
  return cases;
}

bool is_provisional(const DecodedDocument& document, const SimHost& sim) {
  const auto plan = plan_once(document.desired, sim.view());
  return plan && std::ranges::any_of(plan->steps, [](const auto& one) { return one.step.provisional; });
}

std::string definition_of(const SimHost& sim, const std::string& domain) {
  return sim.file().domains.at("qemu:///system").domains.at(domain).definition;
}

class Transition : public ::testing::TestWithParam<Example> {};

TEST_P(Transition, EachVersionConvergesAndIsThenInSync) {
  SimHost sim(host_named(GetParam().host));
  unsigned version = 1;
  const auto path = [&] { return GetParam().document / (std::to_string(version) + ".yaml"); };
  for (; std::filesystem::exists(path()); ++version) {
    const auto document = document_at(path());
    const bool rests_on_what_it_makes = is_provisional(document, sim);
    const auto report = apply(document, sim);
    EXPECT_TRUE(settled(report)) << path() << ::testing::PrintToString(report.errors);
    if (rests_on_what_it_makes)
      EXPECT_LE(report.rounds, 4U) << path();
    else
      EXPECT_EQ(report.rounds, 2U) << path() << ": the second round was to find nothing left to do";
    const auto after = plan_once(document.desired, sim.view());
    ASSERT_TRUE(after.has_value());
    EXPECT_TRUE(after->empty()) << path() << plan_text(*after, {});
  }
  EXPECT_GT(version, 2U);
}

INSTANTIATE_TEST_SUITE_P(Cases, Transition, ::testing::ValuesIn(transitions()),
                         [](const auto& one) { return test_name(one.param); });

TEST(KernelUpdate, ThatBringsTheVendorSpecificFrameworkTurnsTheHostDevicesOfGuestsWithIt) {
  const auto document = document_at(source_folder() /
                                    "tests/cases/transitions/kvm-a100-pair/"
                                    "vgpu-to-passthrough-and-back/1.yaml");
  SimHost mediated(host_named("kvm-a100-pair"));
  ASSERT_TRUE(settled(apply(document, mediated)));
  EXPECT_THAT(definition_of(mediated, "train-01"), HasSubstr("type='mdev'"));
  auto updated = mediated.file();
  updated.files.insert_or_assign("/proc/sys/kernel/osrelease", HostFile::Text{"6.8.0-55-generic\n"});
  for (auto& [address, gpu] : updated.machine.gpus) gpu.framework = HostFile::VgpuFramework::vendor_vfio;

  SimHost sim(std::move(updated));
  ASSERT_TRUE(sim.reboot());
  const auto report = apply(document, sim);
  EXPECT_TRUE(settled(report)) << ::testing::PrintToString(report.errors);
  EXPECT_THAT(definition_of(sim, "train-01"),
              AllOf(Not(HasSubstr("type='mdev'")), HasSubstr("type='pci' managed='no'"),
                    HasSubstr("bus='0x41' slot='0x00' function='0x4'")));
  const auto after = plan_once(document.desired, sim.view());
  ASSERT_TRUE(after.has_value());
  EXPECT_TRUE(after->empty()) << plan_text(*after, {});
}

}  // namespace
}  // namespace gpuhost::testing
