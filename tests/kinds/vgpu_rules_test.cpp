#include <gmock/gmock.h>

#include "kinds/gpu_facts.hpp"
#include "kinds/one_pass.hpp"
#include "kinds/vgpu/supported_types.hpp"
#include "kinds/vgpu/vgpu.hpp"
#include "support/vgpus.hpp"

namespace gpuhost::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const std::string stranger = "5b2a8d1c-7f4e-4f35-9b0a-2f6f0f0f0f01";

Proposal plan(const VgpuHost& host, std::vector<ForGpus<VgpuSpec>> entries) {
  return testing::plan(*make_vgpu(std::move(entries)), host.fake, {}, {});
}

/// Why one vGPU of the type cannot be made on the GPU; empty: it can.
std::string why_not(const VgpuHost& host, const char* gpu, const std::string& type, unsigned count = 1) {
  const auto proposal = plan(host, {listing("left", gpu, {some("v", type, count)})});
  return why_blocked(proposal, fmt::format("create vGPU v/{} ({}) on left", count - 1, short_type(type)));
}

TEST(VgpuRules, OneFramebufferSizeOnAGpu) {
  VgpuHost host;
  host.add_m60();
  const auto proposal =
      plan(host, {listing("desk", m60_first, {some("cad", "M60-2Q"), some("office", "GRID M60-1Q")})});
  ASSERT_EQ(proposal.steps.size(), 2U);
  for (const auto& step : proposal.steps) {
    ASSERT_EQ(step.blocked_by.size(), 1U);
    EXPECT_THAT(step.blocked_by[0], AllOf(HasSubstr("M60-1Q (1024 MB) and M60-2Q (2048 MB)"),
                                          HasSubstr("0000:07:00.0, the other GPU of the board")));
  }
  const auto apart = plan(host, {listing("desk", m60_first, {some("cad", "M60-2Q")}),
                                 listing("low", m60_second, {some("office", "M60-1Q")})});
  for (const auto& step : apart.steps) EXPECT_THAT(step.blocked_by, IsEmpty());
}

TEST(VgpuRules, TypesOfOneSizeGoTogether) {
  VgpuHost host;
  host.add_m60();
  const auto proposal =
      plan(host, {listing("desk", m60_first, {some("cad", "M60-2Q"), some("office", "M60-2B")})});
  for (const auto& step : proposal.steps) EXPECT_THAT(step.blocked_by, IsEmpty());
}

TEST(VgpuRules, SizesAreJudgedByTheCatalogueBeforeTheDriverTells) {
  VgpuHost host;
  host.add_a100(false);
  const auto proposal = plan(host, {listing("left", a100, {some("a", "A100-4C"), some("b", "A100-8C")})});
  EXPECT_THAT(why_blocked(proposal, "create vGPU a/0 (A100-4C) on left"),
              AllOf(HasSubstr("A100-4C (4096 MB) and A100-8C (8192 MB)"), Not(HasSubstr("other GPU"))));
}

TEST(VgpuRules, NoMoreThanFit) {
  VgpuHost host;
  host.add_m60();
  EXPECT_EQ(why_not(host, m60_first, "M60-2Q", 4), "");
  EXPECT_THAT(why_not(host, m60_first, "M60-2Q", 5),
              AllOf(HasSubstr("5 vGPUs are wanted"), HasSubstr("4 of M60-2Q fit"), HasSubstr("lower")));
}

TEST(VgpuRules, NoMoreThanFitByTheCatalogueBeforeTheDriverTells) {
  VgpuHost host;
  host.add_gpu(m60_first, "0x13f2", "0x030000", "vfio-pci");
  EXPECT_THAT(why_not(host, m60_first, "M60-8Q", 2), HasSubstr("1 of M60-8Q fit"));
}

TEST(VgpuRules, NoMoreThanThereAreVirtualFunctions) {
  VgpuHost host;
  host.add_a100();
  EXPECT_EQ(why_not(host, a100, "A100-4C", 4), "");
  EXPECT_THAT(why_not(host, a100, "A100-4C", 5), HasSubstr("all 4 virtual functions"));
}

TEST(VgpuRules, UnknownTypesAreNamedWithNearOnes) {
  VgpuHost host;
  host.add_m60();
  EXPECT_THAT(why_not(host, m60_first, "M60-3Q"),
              AllOf(HasSubstr("has no vGPU type M60-3Q (did you mean M60-"),
                    HasSubstr("M60-0Q, M60-1Q, M60-2Q, M60-4Q, M60-8Q"), Not(HasSubstr("M60-1B"))));
  EXPECT_THAT(why_not(host, m60_first, "A100-4C"),
              AllOf(HasSubstr("has no vGPU type A100-4C"), Not(HasSubstr("A100-3-20C"))));
}

TEST(VgpuRules, TypesThatTheDriverDoesNotOfferAreToldApart) {
  VgpuHost host;
  host.add_a100();
  for (const auto& function : a100_functions)
    std::erase_if(host.fake.files, [&](const auto& file) {
      return file.first.starts_with(pci_devices + function + "/mdev_supported_types/nvidia-470/");
    });
  EXPECT_THAT(why_not(host, a100, "A100-8C"), HasSubstr("does not offer A100-8C"));
  EXPECT_EQ(why_not(host, a100, "A100-4C"), "");
}

TEST(VgpuRules, TypesWithoutAFreeInstanceAreNotTried) {
  VgpuHost host;
  host.add_a100();
  for (const auto& function : a100_functions) host.set_available(function, "nvidia-470", 0);
  EXPECT_THAT(why_not(host, a100, "A100-8C"), HasSubstr("MIG mode may be on"));
  // Something of another size is there, and goes first.
  host.add_vgpu(stranger, a100_functions[0], "nvidia-468");
  EXPECT_EQ(why_not(host, a100, "A100-8C"), "");
}

TEST(VgpuRules, TypesOfInstancesNeedOneOfTheirProfile) {
  VgpuHost host;
  host.add_a100();
  auto entry = listing("left", a100, {some("train", "A100-3-20C", 2)});
  const auto made = plan(host, {entry});
  EXPECT_THAT(made.steps.at(0).needs,
              ::testing::Contains(gpu_facts::with_instance(*PciAddress::parse(a100), "3g.20gb")));
  EXPECT_THAT(made.steps.at(0).blocked_by, IsEmpty()) << "whether there are some is known to others";
  entry.spec.instances = {{"3g.20gb", 1}, {"2g.10gb", 1}};
  EXPECT_THAT(why_blocked(plan(host, {entry}), "create vGPU train/1 (A100-3-20C) on left"),
              HasSubstr("1 of them carry 1"));
  entry.spec.instances = {{"2g.10gb", 3}};
  EXPECT_THAT(why_blocked(plan(host, {entry}), "create vGPU train/0 (A100-3-20C) on left"),
              HasSubstr("mig lists none"));
  entry = listing("left", a100, {some("train", "A100-3-20C"), some("infer", "A100-10C")});
  EXPECT_THAT(why_blocked(plan(host, {entry}), "create vGPU infer/0 (A100-10C) on left"),
              HasSubstr("choose one sort"));
}

TEST(VgpuRules, NoneOnTheBootDisplay) {
  VgpuHost host;
  host.add_m60();
  host.fake.files[pci_devices + m60_first + "/boot_vga"] = "1\n";
  EXPECT_THAT(why_not(host, m60_first, "M60-2Q"),
              AllOf(HasSubstr("console"), HasSubstr("primary display in the firmware")));
  host.fake.files[pci_devices + m60_first + "/boot_vga"] = "0\n";
  EXPECT_EQ(why_not(host, m60_first, "M60-2Q"), "");
}

TEST(VgpuRules, ComputeModeOfAnM60IsForOthersToEnd) {
  VgpuHost host;
  host.add_gpu(m60_first, "0x13f2", "0x030200");
  EXPECT_EQ(why_not(host, m60_first, "M60-2Q"), "");
}

TEST(VgpuRules, WithoutManagerOrBoardInItThereAreNone) {
  VgpuHost host;
  host.add_gpu(m60_first, "0x13f2", "0x030000");
  EXPECT_THAT(why_not(host, m60_first, "M60-2Q"), HasSubstr("nvidia-vgpud.service"));
  host.fake.directories.erase("/sys/class/mdev_bus");
  EXPECT_THAT(why_not(host, m60_first, "M60-2Q"), HasSubstr("/sys/class/mdev_bus"));
  host.fake.directories.erase("/sys/module/nvidia_vgpu_vfio");
  EXPECT_THAT(why_not(host, m60_first, "M60-2Q"),
              AllOf(HasSubstr("vGPU manager is not loaded"), HasSubstr("install")));
}

TEST(VgpuRules, ABoardThatNeedsSriovAndHasNone) {
  VgpuHost host;
  host.add_gpu(a100, "0x20f1", "0x030200");
  EXPECT_THAT(why_not(host, a100, "A100-8C"), HasSubstr("SR-IOV in the firmware"));
  host.fake.errors[pci_devices + a100 + "/sriov_totalvfs"] = Error{ErrorKind::denied, "no permission"};
  const auto proposal = plan(host, {listing("left", a100, {some("v", "A100-8C")})});
  EXPECT_THAT(proposal.steps, IsEmpty());
  ASSERT_EQ(proposal.findings.size(), 1U);
  EXPECT_EQ(proposal.findings[0].verdict, Finding::Verdict::unknown);
  EXPECT_EQ(proposal.findings[0].reason, "no permission");
}

TEST(VgpuRules, ABoardWithSriovAndVgpusOnTheGpuItself) {
  VgpuHost host;
  host.add_gpu(a100, "0x1eb8", "0x030200");  // Tesla T4
  host.fake.files[pci_devices + a100 + "/sriov_totalvfs"] = "16\n";
  host.offer_types(a100, 0x1eb8);
  const auto proposal = plan(host, {listing("left", a100, {some("v", "T4-4Q")})});
  ASSERT_EQ(proposal.steps.size(), 1U);
  EXPECT_EQ(proposal.steps[0].after["parent"], a100);
  EXPECT_EQ(proposal.steps[0].needs.size(), 3U);
  EXPECT_THAT(proposal.steps[0].blocked_by, IsEmpty());
}

TEST(VgpuRules, FunctionsThatCannotBeHad) {
  VgpuHost host;
  host.add_a100();
  auto vgpus = some("train", "A100-8C", 2);
  vgpus.vfs = {9, 1};
  host.add_vgpu(uuid_of("left/kept/0"), a100_functions[1], "nvidia-470");
  auto proposal = plan(host, {listing("left", a100, {some("kept", "A100-8C"), vgpus})});
  EXPECT_THAT(why_blocked(proposal, "create vGPU train/0 (A100-8C) on left"),
              AllOf(HasSubstr("no virtual function 9"), HasSubstr("free are 0, 2, 3")));
  EXPECT_THAT(why_blocked(proposal, "create vGPU train/1 (A100-8C) on left"),
              HasSubstr("virtual function 1 of GPU left"));
  host.add_m60();
  vgpus.type = "M60-2Q";
  vgpus.vfs = {0, 1};
  proposal = plan(host, {listing("left", m60_first, {vgpus})});
  EXPECT_THAT(why_blocked(proposal, "create vGPU train/0 (M60-2Q) on left"), HasSubstr("leave out 'vfs'"));
}

TEST(VgpuRules, ABoardThatIsNotInTheCatalogueIsJudgedByTheDriverAlone) {
  VgpuHost host;
  host.add_gpu(a100, "0xffff", "0x030200");
  const auto at = pci_devices + a100 + "/mdev_supported_types/nvidia-9";
  host.fake.files[at + "/name"] = "NVIDIA X1-4C\n";
  host.fake.files[at + "/description"] = "num_heads=1, framebuffer=4096M, max_instance=2\n";
  host.fake.files[at + "/available_instances"] = "2\n";
  EXPECT_EQ(why_not(host, a100, "X1-4C", 2), "");
  EXPECT_THAT(why_not(host, a100, "X1-4C", 3), HasSubstr("2 of X1-4C fit"));
  EXPECT_THAT(why_not(host, a100, "X1-8C"), HasSubstr("did you mean X1-4C?"));
}

}  // namespace
}  // namespace gpuhost::testing
