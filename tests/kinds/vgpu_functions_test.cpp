#include "kinds/vgpu_functions.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "kinds/gpu_selection.hpp"

namespace gpuhost {
namespace {

using ::testing::ElementsAre;

constexpr std::uint16_t h100 = 0x2330;

/// An H100 with four virtual functions; `types`: of each, as current_vgpu_type says.
Gpu gpu_with(const std::vector<unsigned>& types) {
  Gpu gpu;
  gpu.address = *PciAddress::parse("0000:1b:00.0");
  gpu.vendor_id = 0x10de;
  gpu.device_id = h100;
  gpu.total_functions = 4U;
  for (unsigned index = 0; index < types.size(); ++index)
    gpu.functions.push_back({.index = index,
                             .address = *PciAddress::parse(fmt::format("0000:1b:00.{}", index + 4)),
                             .driver = "nvidia",
                             .iommu_group = {},
                             .framework = VgpuFramework::vendor_specific,
                             .vgpu_type = types[index],
                             .gpu_instance = {}});
  return gpu;
}

std::vector<int> shared(const Gpu& gpu, const std::vector<FunctionWish>& wishes) {
  std::vector<int> indices;
  for (const auto index : share_functions(gpu, wishes))
    indices.push_back(index ? static_cast<int>(*index) : -1);
  return indices;
}

TEST(VgpuFunctions, GoFromTheLowest) {
  EXPECT_THAT(shared(gpu_with({0, 0, 0, 0}), {{}, {}, {}}), ElementsAre(0, 1, 2));
  EXPECT_THAT(shared(gpu_with({0, 0, 0, 0}), {{}, {}, {}, {}, {}}), ElementsAre(0, 1, 2, 3, -1));
}

TEST(VgpuFunctions, WhoHasOneKeepsItWhateverComesBefore) {
  EXPECT_THAT(shared(gpu_with({0, 700, 0, 0}), {{}, {.said = {}, .has = 1}, {}}), ElementsAre(0, 1, 2));
  EXPECT_THAT(shared(gpu_with({0, 0, 0, 0}), {{.said = 1, .has = {}}, {.said = {}, .has = 1}}),
              ElementsAre(-1, 1))
      << "one that is said is no reason to move another";
}

TEST(VgpuFunctions, ThoseThatTheDocumentSaysComeBeforeThoseThatAreChosen) {
  EXPECT_THAT(shared(gpu_with({0, 0, 0, 0}), {{}, {.said = 0, .has = {}}, {.said = 9, .has = {}}}),
              ElementsAre(1, 0, -1));
}

TEST(VgpuFunctions, BeforeThereAreAnyAllAreUsable) {
  EXPECT_THAT(shared(gpu_with({}), {{}, {.said = 0, .has = {}}}), ElementsAre(1, 0));
  auto without_interface = gpu_with({0, 0, 0, 0});
  without_interface.functions[0].framework = VgpuFramework::none;
  EXPECT_THAT(shared(without_interface, {{}}), ElementsAre(1)) << "it has not come up";
}

TEST(VgpuFunctions, ARecordCountsForItsOwnGpuAlone) {
  const auto gpu = gpu_with({0, 0});
  VgpuRecord record{
      .gpu = identity_of(gpu), .name = "train/0", .type = "H100XM-4C", .parent = {}, .function = 3};
  EXPECT_EQ(function_wish(gpu, std::nullopt, record).has, 3U);
  EXPECT_EQ(function_wish(gpu, 3, record).has, 3U);
  EXPECT_EQ(function_wish(gpu, 2, record).has, std::nullopt) << "the document moves it";
  record.gpu = "10de:20f1/10de:145f GPU-another";
  EXPECT_EQ(function_wish(gpu, std::nullopt, record).has, std::nullopt);
}

TEST(VgpuFunctions, TheFrameworkIsToldBySysfsAndElseByTheKernel) {
  EXPECT_TRUE(uses_vendor_framework(gpu_with({0}), false));
  EXPECT_TRUE(uses_vendor_framework(gpu_with({}), true));
  EXPECT_FALSE(uses_vendor_framework(gpu_with({}), false));
  auto mediated = gpu_with({0});
  mediated.functions[0].framework = VgpuFramework::mediated;
  EXPECT_FALSE(uses_vendor_framework(mediated, true));
  auto t4 = gpu_with({});
  t4.device_id = 0x1eb8;
  EXPECT_FALSE(uses_vendor_framework(t4, true)) << "its vGPUs are on the GPU itself";
}

TEST(VgpuFunctions, WhoseVgpusTheyAreIsOnRecord) {
  const auto gpu = gpu_with({700, 0});
  Ownership::Objects owned;
  EXPECT_TRUE(has_foreign_vgpus(gpu, owned));
  owned["vgpu[5b2a8d1c-7f4e-4f35-9b0a-2f6f0f0f0f01]"] = {
      nullptr, {{"gpu", identity_of(gpu)}, {"name", "train/0"}, {"function", 0U}}};
  EXPECT_FALSE(has_foreign_vgpus(gpu, owned));
  EXPECT_TRUE(has_foreign_vgpus(gpu_with({700, 700}), owned));
}

}  // namespace
}  // namespace gpuhost
