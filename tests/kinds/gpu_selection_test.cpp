#include "kinds/gpu_selection.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gpuhost::testing {
namespace {

using By = GpuSelector::By;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Gpu a100(const std::string& address) {
  return Gpu{PciFunction{.address = *PciAddress::parse(address),
                         .vendor_id = 0x10de,
                         .device_id = 0x20f1,
                         .subsystem_vendor_id = 0x10de,
                         .subsystem_device_id = 0x145f}};
}

Inventory two_gpus() {
  Inventory inventory{.gpus = {a100("0000:41:00.0"), a100("0000:61:00.0")}};
  inventory.gpus[0].slot = "4-1";
  inventory.gpus[0].uuid = "GPU-11111111-2222-3333-4444-555555555555";
  return inventory;
}

GpuEntry entry(By by, const std::string& value, std::optional<unsigned> expect = {}) {
  return {.name = Located{std::string("left"), Mark{}},
          .mark = {},
          .match_mark = {},
          .selector = GpuSelector{.by = by, .value = value, .expect = expect},
          .mode = {}};
}

std::vector<std::string> labels(const Selection& selection) {
  std::vector<std::string> all;
  for (const auto& gpu : selection.gpus) all.push_back(gpu.label + " " + gpu.gpu->address.to_string());
  return all;
}

TEST(GpuSelection, EachWayFindsItsGpu) {
  const auto inventory = two_gpus();
  for (const auto& [by, value] : {std::pair{By::address, "0000:41:00.0"},
                                  {By::slot, "4-1"},
                                  {By::uuid, "11111111-2222-3333-4444-555555555555"}})
    EXPECT_THAT(labels(select_gpus(entry(by, value), inventory)), ElementsAre("left 0000:41:00.0")) << value;
  for (const auto& [by, value] : {std::pair{By::pci_id, "10de:20f1"},
                                  {By::pci_id, "10de:20f1/10de:145f"},
                                  {By::model, "A100"},
                                  {By::all, ""}})
    EXPECT_THAT(labels(select_gpus(entry(by, value), inventory)),
                ElementsAre("left#0 0000:41:00.0", "left#1 0000:61:00.0"))
        << value;
}

TEST(GpuSelection, WhatDoesNotMatchSaysWhatIsThere) {
  const auto selection = select_gpus(entry(By::model, "H100"), two_gpus());
  EXPECT_THAT(selection.gpus, IsEmpty());
  EXPECT_EQ(selection.problem, "H100 matches no GPU");
  EXPECT_THAT(selection.advice, HasSubstr("0000:61:00.0 (10de:20f1/10de:145f"));
  EXPECT_THAT(select_gpus(entry(By::pci_id, "10de:20f"), two_gpus()).gpus, IsEmpty());
}

TEST(GpuSelection, ExpectIsExact) {
  EXPECT_EQ(select_gpus(entry(By::all, "", 2), two_gpus()).problem, "");
  EXPECT_EQ(select_gpus(entry(By::all, "", 3), two_gpus()).problem, "all matches 2 of 3 expected GPUs");
  EXPECT_EQ(select_gpus(entry(By::all, "", 1), two_gpus()).problem, "all matches 2 of 1 expected GPUs");
}

TEST(GpuSelection, OneThatIsAbsentTodayKeepsItsNumber) {
  auto inventory = two_gpus();
  inventory.known = {{inventory.gpus[0].address, inventory.gpus[0].pci_id(), "GPU-a", std::nullopt},
                     {inventory.gpus[1].address, inventory.gpus[1].pci_id(), "GPU-b", std::nullopt}};
  inventory.gpus.erase(inventory.gpus.begin());
  const auto selection = select_gpus(entry(By::all, "", 2), inventory);
  EXPECT_THAT(labels(selection), ElementsAre("left#1 0000:61:00.0"));
  EXPECT_THAT(selection.absent, ElementsAre("left#0"));
  EXPECT_THAT(selection.problem, HasSubstr("absent now: left#0"));
}

TEST(GpuSelection, AUuidThatMayBeThatOfANamelessGpuIsUnknown) {
  const auto selection = select_gpus(entry(By::uuid, "99999999-2222-3333-4444-555555555555"), two_gpus());
  EXPECT_EQ(selection.problem, "");
  EXPECT_THAT(selection.unknown, HasSubstr("0000:61:00.0"));
  auto all_named = two_gpus();
  all_named.gpus[1].uuid = "GPU-b";
  EXPECT_EQ(select_gpus(entry(By::uuid, "99999999-2222-3333-4444-555555555555"), all_named).unknown, "");
}

TEST(GpuSelection, NamesAndObjects) {
  const auto inventory = two_gpus();
  auto nameless = entry(By::address, "0000:41:00.0");
  nameless.name.reset();
  const auto unnamed = select_gpus(nameless, inventory).gpus[0];
  EXPECT_EQ(gpu_address(unnamed, "driver"), "gpu[0000:41:00.0].driver");
  EXPECT_FALSE(is_named(unnamed, ""));
  const auto one = select_gpus(entry(By::address, "0000:41:00.0"), inventory).gpus[0];
  EXPECT_EQ(gpu_address(one, "driver"), "gpu[left].driver");
  EXPECT_EQ(gpu_object(*one.gpu, "driver"), "gpu[0000:41:00.0].driver");
  EXPECT_TRUE(is_named(one, "left") && is_named(one, "left#0"));
  const auto second = select_gpus(entry(By::all, ""), inventory).gpus[1];
  EXPECT_TRUE(is_named(second, "left#1"));
  EXPECT_FALSE(is_named(second, "left") || is_named(second, "left#0"));
  EXPECT_NE(identity_of(inventory.gpus[0]), identity_of(inventory.gpus[1]));
}

}  // namespace
}  // namespace gpuhost::testing
