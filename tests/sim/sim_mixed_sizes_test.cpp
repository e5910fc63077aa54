#include <gmock/gmock.h>

#include "gpu_hosts.hpp"

// vGPUs of several sizes on one simulated GPU, on both mechanisms.

namespace gpuhost {
namespace {

using namespace gpu_hosts;

constexpr const char* gpu = "0000:41:00.0";
constexpr const char* first = "0000:41:00.4";
constexpr const char* second = "0000:41:00.5";
constexpr const char* third = "0000:41:00.6";
const std::string uuid = "11111111-2222-3333-4444-555555555501";
const std::string other_uuid = "11111111-2222-3333-4444-555555555502";

std::string file_of(const std::string& function, const std::string& file) {
  return Machine::pci(function) + "/nvidia/" + file;
}

std::string device_file(const std::string& vgpu, const std::string& file) {
  return "/sys/bus/mdev/devices/" + vgpu + "/nvidia/" + file;
}

struct MixedMachine : Machine {
  explicit MixedMachine(const HostFile& file) : Machine(file) {
    sriov_manage("-e", gpu);
    EXPECT_TRUE(set(true));
  }
  Result<void> set(bool on) { return sim.host().gpus.set_mixed_sizes(address(gpu), on); }
  [[nodiscard]] bool mixed() const { return *sim.view().gpus.gpus()->at(address(gpu)).mixed_sizes; }
};

TEST(SimMixedSizes, MediatedDevicesLieByThePlacementTable) {
  MixedMachine host{a100()};
  EXPECT_EQ(host.available(first, "A100-20C"), "1");
  ASSERT_TRUE(host.make(first, "A100-20C", uuid));
  EXPECT_EQ(host.read(device_file(uuid, "placement_id")), "0") << "the driver chooses";
  ASSERT_TRUE(host.make(second, "A100-8C", other_uuid)) << "another size";
  EXPECT_EQ(host.read(device_file(other_uuid, "placement_id")), "20");
  EXPECT_EQ(host.available(third, "A100-20C"), "0");
  EXPECT_EQ(host.available(third, "A100-8C"), "1");
  const auto params = device_file(other_uuid, "vgpu_params");
  EXPECT_FALSE(host.write(params, "vgpu-placement-id=0")) << "the other is there";
  EXPECT_FALSE(host.write(params, "vgpu-placement-id=24")) << "no placement of its size";
  ASSERT_TRUE(host.write(params, "vgpu-placement-id=32"));
  EXPECT_EQ(host.read(device_file(other_uuid, "placement_id")), "32");
}

TEST(SimMixedSizes, FunctionsLieByThePlacementTable) {
  MixedMachine host{a100(HostFile::VgpuFramework::vendor_vfio)};
  ASSERT_TRUE(host.write(file_of(first, "current_vgpu_type"), "472"));
  EXPECT_EQ(host.read(file_of(first, "placement_id")), "0");
  ASSERT_TRUE(host.write(file_of(second, "current_vgpu_type"), "470"));
  EXPECT_EQ(host.read(file_of(second, "placement_id")), "20");
  EXPECT_THAT(
      host.read(file_of(third, "creatable_vgpu_types")),
      ::testing::AllOf(::testing::HasSubstr("A100-8C"), ::testing::Not(::testing::HasSubstr("A100-20C"))));
  EXPECT_FALSE(host.write(file_of(second, "vgpu_params"), "vgpu-placement-id=12"));
  ASSERT_TRUE(host.write(file_of(second, "vgpu_params"), "vgpu-placement-id=32"));
  EXPECT_EQ(host.read(file_of(second, "placement_id")), "32");
  ASSERT_TRUE(host.write(file_of(second, "current_vgpu_type"), "0"));
  EXPECT_EQ(host.read(file_of(second, "placement_id")), "");
}

TEST(SimMixedSizes, ModeChangesWithoutVgpusAndGoesWithTheFunctions) {
  MixedMachine host{a100()};
  ASSERT_TRUE(host.make(first, "A100-20C", uuid));
  EXPECT_EQ(host.set(false).error().kind, ErrorKind::busy);
  ASSERT_TRUE(host.write("/sys/bus/mdev/devices/" + uuid + "/remove", "1"));
  ASSERT_TRUE(host.set(false));
  EXPECT_EQ(host.available(first, "A100-8C"), "1");
  ASSERT_TRUE(host.make(first, "A100-20C", uuid));
  EXPECT_EQ(host.available(second, "A100-8C"), "0") << "one size again";
  ASSERT_TRUE(host.write("/sys/bus/mdev/devices/" + uuid + "/remove", "1"));
  ASSERT_TRUE(host.set(true));
  host.sriov_manage("-d", gpu);
  EXPECT_FALSE(host.mixed());
  ASSERT_TRUE(host.set(true));
  host.sriov_manage("-e", gpu);
  EXPECT_FALSE(host.mixed()) << "in both directions";
  ASSERT_TRUE(host.set(true));
  EXPECT_TRUE(host.sim.reboot());
  EXPECT_FALSE(host.mixed());
}

}  // namespace
}  // namespace gpuhost
