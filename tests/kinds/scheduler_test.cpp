#include "kinds/scheduler/scheduler.hpp"

#include <gtest/gtest.h>

#include "kinds/kernel_modules/driver_registry.hpp"
#include "kinds/scheduler/kind.hpp"

namespace gpuhost::testing {
namespace {

using Policy = VgpuScheduler::Policy;

constexpr unsigned hertz_480 = 1'000'000'000 / 480;
constexpr unsigned hertz_960 = 1'000'000'000 / 960;
constexpr unsigned ms = 1'000'000;

/// The examples of the guide's section on the key.
TEST(SchedulerKey, IsThatOfNvidiasGuide) {
  EXPECT_EQ(rm_pvmrl_of({}), 0U);
  EXPECT_EQ(rm_pvmrl_of({.policy = Policy::equal_share}), 0x01U);
  EXPECT_EQ(rm_pvmrl_of({.policy = Policy::fixed_share}), 0x11U);
  EXPECT_EQ(rm_pvmrl_of({.policy = Policy::equal_share, .round_robin = false, .timeslice_ns = 3 * ms}),
            0x00030003U);
  EXPECT_EQ(rm_pvmrl_of({.policy = Policy::fixed_share, .round_robin = false, .timeslice_ns = 24 * ms}),
            0x00180011U);
  EXPECT_EQ(rm_pvmrl_of({.policy = Policy::equal_share, .timeslice_ns = hertz_960, .averaging = 60}),
            0x3c3c0001U);
  EXPECT_EQ(rm_pvmrl_of({.policy = Policy::fixed_share, .timeslice_ns = hertz_960, .averaging = 60}),
            0x3c3c0011U);
}

TEST(Scheduler, WhatIsNotSaidIsTheDriversOwn) {
  const VgpuScheduler driver{.policy = Policy::equal_share, .timeslice_ns = hertz_480, .averaging = 33};
  EXPECT_TRUE(is_as_wanted(driver, {.policy = Policy::equal_share}));
  EXPECT_FALSE(is_as_wanted(driver, {.policy = Policy::fixed_share}));
  EXPECT_FALSE(
      is_as_wanted(driver, {.policy = Policy::equal_share, .timeslice_ns = hertz_480, .averaging = 60}));
  EXPECT_TRUE(
      is_as_wanted(driver, {.policy = Policy::equal_share, .timeslice_ns = hertz_480 + 1, .averaging = 33}));
  EXPECT_FALSE(
      is_as_wanted(driver, {.policy = Policy::equal_share, .round_robin = false, .timeslice_ns = 2 * ms}));
  for (const auto& one :
       {driver, VgpuScheduler{}, VgpuScheduler{.policy = Policy::fixed_share},
        VgpuScheduler{.policy = Policy::equal_share, .round_robin = false, .timeslice_ns = 2 * ms}})
    EXPECT_EQ(scheduler_from(json_of(one)), one) << json_of(one).dump();
  EXPECT_FALSE(scheduler_from(Json{{"policy", "none"}}));
}

TEST(DriverRegistry, KeysAreAddedToWhatOthersSay) {
  const auto left = *PciAddress::parse("0000:41:00.0");
  const auto right = *PciAddress::parse("0000:61:00.0");
  const std::map<PciAddress, DriverRegistryKey> keys{{left, {"RmPVMRL", 0x11}}};
  EXPECT_EQ(with_registry_keys("", keys), "pci=0000:41:00.0;RmPVMRL=0x11");
  EXPECT_EQ(with_registry_keys("pci=0000:61:00.0;RmPVMRL=0x01;Other=0x2", keys),
            "pci=0000:61:00.0;RmPVMRL=0x01;Other=0x2;pci=0000:41:00.0;RmPVMRL=0x11");
  EXPECT_EQ(with_registry_keys("pci=0000:41:00.0;Other=0x2;RmPVMRL=0x01", keys),
            "pci=0000:41:00.0;Other=0x2;RmPVMRL=0x11");
  EXPECT_EQ(with_registry_keys("", {{left, {"RmPVMRL", 0x01}}, {right, {"RmPVMRL", 0x00030003}}}),
            "pci=0000:41:00.0;RmPVMRL=0x01;pci=0000:61:00.0;RmPVMRL=0x30003");
  EXPECT_EQ(with_registry_keys("pci=0000:61:00.0;A=1", {}), "pci=0000:61:00.0;A=1");
}

}  // namespace
}  // namespace gpuhost::testing
