#include "gpu_hosts.hpp"

namespace gpuhost {
namespace {

using namespace gpu_hosts;

constexpr const char* left = "0000:05:00.0";
constexpr const char* right = "0000:06:00.0";
const std::string a = "aaaaaaaa-0000-4000-8000-000000000001";
const std::string b = "aaaaaaaa-0000-4000-8000-000000000002";
const std::string c = "aaaaaaaa-0000-4000-8000-000000000003";

std::string mdev(const std::string& uuid) {
  return "/sys/bus/mdev/devices/" + uuid;
}

TEST(SimMdev, AGpuWithoutVirtualFunctionsOffersTheTypesOfItsBoard) {
  const Machine host(m60());
  const std::string type = host.type(left, "M60-1Q");
  EXPECT_EQ(host.read(type + "/name"), "GRID M60-1Q");
  EXPECT_EQ(host.read(type + "/available_instances"), "8");
  EXPECT_EQ(host.read(type + "/device_api"), "vfio-pci");
  EXPECT_EQ(host.read(type + "/description"),
            "num_heads=4, frl_config=60, framebuffer=1024M, max_resolution=5120x2880, max_instance=8");
  EXPECT_EQ(host.count(type + "/devices"), 0U);
  EXPECT_EQ(host.link(std::string("/sys/class/mdev_bus/") + left), left);
  EXPECT_EQ(host.available(left, "M60-8Q"), "1");
}

TEST(SimMdev, AWrittenUuidIsADeviceWithItsLinks) {
  Machine host(m60());
  ASSERT_TRUE(host.make(left, "M60-2Q", a + "\n"));
  EXPECT_EQ(host.read(mdev(a) + "/mdev_type/name"), "GRID M60-2Q");
  EXPECT_EQ(host.sim.view().files.link_target(mdev(a)), "../../pci/devices/0000:05:00.0/" + a);
  EXPECT_TRUE(host.exists(host.type(left, "M60-2Q") + "/devices/" + a));
  EXPECT_EQ(host.read(mdev(a) + "/nvidia/vgpu_params"), "");
  const std::string group = host.link(mdev(a) + "/iommu_group");
  EXPECT_NE(group, "");
  EXPECT_NE(group, host.link(Machine::pci(left) + "/iommu_group")) << "a group of its own";
  EXPECT_EQ(host.link("/sys/kernel/iommu_groups/" + group + "/devices/" + a), a);
  EXPECT_TRUE(host.exists("/dev/vfio/" + group));
}

TEST(SimMdev, CountsDownAndEndsOtherSizesOnThatGpuAlone) {
  Machine host(m60());
  ASSERT_TRUE(host.make(left, "M60-1Q", a));
  EXPECT_EQ(host.available(left, "M60-1Q"), "7");
  EXPECT_EQ(host.available(left, "M60-1B"), "7") << "another series of the same size";
  EXPECT_EQ(host.available(left, "M60-2Q"), "0");
  EXPECT_EQ(host.available(left, "M60-8Q"), "0");
  EXPECT_EQ(host.available(right, "M60-2Q"), "4") << "the board's other GPU is apart";
  ASSERT_TRUE(host.make(right, "M60-2Q", b));
  ASSERT_TRUE(host.make(left, "M60-1B", c));
  EXPECT_EQ(host.available(left, "M60-1Q"), "6");
  ASSERT_TRUE(host.write(mdev(a) + "/remove", "1"));
  EXPECT_EQ(host.available(left, "M60-2Q"), "0");
  ASSERT_TRUE(host.write(mdev(c) + "/remove", "1\n"));
  EXPECT_EQ(host.available(left, "M60-2Q"), "4");
  EXPECT_EQ(host.available(left, "M60-1Q"), "8");
}

TEST(SimMdev, RefusesAsTheKernelDoes) {
  Machine host(m60());
  for (const std::string& bad : {std::string("x"), a + "0", a + " ", a.substr(1), std::string()}) {
    const auto made = host.make(left, "M60-4Q", bad);
    ASSERT_FALSE(made) << bad;
    EXPECT_EQ(made.error().kind, ErrorKind::invalid) << "EINVAL";
  }
  ASSERT_TRUE(host.make(left, "M60-4Q", a));
  const auto twice = host.make(right, "M60-4Q", a);
  ASSERT_FALSE(twice);
  EXPECT_NE(twice.error().message.find("File exists"), std::string::npos) << twice.error().message;
  const auto other_size = host.make(left, "M60-1Q", b);
  ASSERT_FALSE(other_size);
  EXPECT_NE(other_size.error().message.find("No space left"), std::string::npos)
      << other_size.error().message;
  ASSERT_TRUE(host.make(left, "M60-4Q", b));
  EXPECT_FALSE(host.make(left, "M60-4Q", c)) << "two of 4 GB fill it";
  EXPECT_EQ(host.refusal(Machine::pci(left) + "/mdev_supported_types/nvidia-0/create", c).kind,
            ErrorKind::io);
}

TEST(SimMdev, RemovesWithANumberThatIsNotZero) {
  Machine host(m60());
  ASSERT_TRUE(host.make(left, "M60-1Q", a));
  EXPECT_EQ(host.refusal(mdev(a) + "/remove", "yes").kind, ErrorKind::invalid);
  ASSERT_TRUE(host.write(mdev(a) + "/remove", "0"));
  EXPECT_TRUE(host.exists(mdev(a)));
  const std::string group = host.link(mdev(a) + "/iommu_group");
  ASSERT_TRUE(host.write(mdev(a) + "/remove", "1"));
  for (const std::string& path : {mdev(a), Machine::pci(left) + "/" + a, "/sys/kernel/iommu_groups/" + group,
                                  "/dev/vfio/" + group, host.type(left, "M60-1Q") + "/devices/" + a}) {
    EXPECT_FALSE(host.exists(path)) << path;
  }
  EXPECT_EQ(host.refusal(mdev(a) + "/remove", "1").kind, ErrorKind::not_found);
}

TEST(SimMdev, TakesTheParametersOfThePluginUntilAGuestHasIt) {
  Machine host(m60());
  ASSERT_TRUE(host.make(left, "M60-1Q", a));
  const std::string parameters = mdev(a) + "/nvidia/vgpu_params";
  ASSERT_TRUE(host.write(parameters, "frame_rate_limiter=0, disable_vnc=1"));
  EXPECT_EQ(host.read(parameters), "frame_rate_limiter=0, disable_vnc=1");
  EXPECT_EQ(host.refusal(parameters, "speed=1").kind, ErrorKind::invalid);
  EXPECT_EQ(host.refusal(parameters, "disable_vnc").kind, ErrorKind::invalid);
  ASSERT_TRUE(host.write(parameters, " "));
  EXPECT_EQ(host.read(parameters), "");
  auto file = host.sim.file();
  file.processes[9] = opens("/dev/vfio/" + host.link(mdev(a) + "/iommu_group"));
  SimHost sim(file);
  EXPECT_EQ(sim.host().files.write_attribute(parameters, "disable_vnc=1").error().kind, ErrorKind::busy);
}

TEST(SimMdev, RemovingOneInUseWouldNeverEnd) {
  Machine host(m60());
  ASSERT_TRUE(host.make(left, "M60-1Q", a));
  ASSERT_TRUE(host.make(left, "M60-1Q", b));
  auto file = host.sim.file();
  file.processes[9] = opens("/dev/vfio/" + host.link(mdev(a) + "/iommu_group"));
  SimHost sim(file);
  auto& files = sim.host().files;
  const auto removed = files.write_attribute(mdev(a) + "/remove", "1");
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().kind, ErrorKind::timed_out);
  EXPECT_NE(removed.error().message.find("for ever"), std::string::npos) << removed.error().message;
  EXPECT_EQ(files.write_attribute(Machine::pci(left) + "/driver/unbind", left).error().kind,
            ErrorKind::timed_out);
  EXPECT_TRUE(files.write_attribute(mdev(b) + "/remove", "1")) << "nobody has this one";
}

TEST(SimMdev, GoesWithItsDriverAndItsBoot) {
  Machine host(m60());
  ASSERT_TRUE(host.make(left, "M60-1Q", a));
  ASSERT_TRUE(host.make(right, "M60-1Q", b));
  ASSERT_TRUE(host.write(Machine::pci(left) + "/driver/unbind", left));
  EXPECT_FALSE(host.exists(mdev(a)));
  EXPECT_FALSE(host.exists(Machine::pci(left) + "/mdev_supported_types"));
  EXPECT_FALSE(host.exists(std::string("/sys/class/mdev_bus/") + left));
  EXPECT_TRUE(host.exists(mdev(b)));
  ASSERT_TRUE(host.sim.reboot());
  EXPECT_FALSE(host.exists(mdev(b)));
  EXPECT_EQ(host.available(left, "M60-1Q"), "8");
  EXPECT_EQ(host.available(right, "M60-2Q"), "4");
  EXPECT_EQ(host.count("/sys/kernel/iommu_groups"), 2U) << "those of the two GPUs";
}

TEST(SimMdev, ABoardThatTheCatalogueDoesNotKnowOffersNothing) {
  auto file = m60();
  file.files["/sys/bus/pci/devices/0000:05:00.0/device"] = line("0x0001");
  const Machine host(file);
  EXPECT_EQ(host.driver(left), "nvidia");
  EXPECT_FALSE(host.exists(Machine::pci(left) + "/mdev_supported_types"));
}

}  // namespace
}  // namespace gpuhost
