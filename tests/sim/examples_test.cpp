#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "base/pci_address.hpp"
#include "host/sim/host_file.hpp"
#include "host/sim/sim_host.hpp"
#include "support/source_folder.hpp"

namespace gpuhost {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> example_hosts() {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(testing::source_folder() / "examples/hosts")) {
    found.push_back(entry.path());
  }
  std::ranges::sort(found);
  return found;
}

class ExampleHost : public ::testing::TestWithParam<fs::path> {
 protected:
  static std::optional<HostFile> decode(const std::string& name, std::string text) {
    Diagnostics diagnostics;
    auto host = decode_host_file(diagnostics.add_source({name, std::move(text)}), diagnostics);
    EXPECT_TRUE(host) << diagnostics.render();
    return host;
  }
  /// The IOMMU groups of PCI functions: a mediated device, and its group with it, does not outlive a boot.
  static std::vector<std::string> pci_groups(const SimHost& sim) {
    const std::string directory = "/sys/kernel/iommu_groups";
    auto groups = sim.view().files.list(directory).value_or(std::vector<std::string>{});
    std::erase_if(groups, [&](const auto& group) {
      const auto devices = sim.view().files.list(directory + "/" + group + "/devices");
      return devices &&
             std::ranges::all_of(*devices, [](const auto& name) { return !PciAddress::parse(name); });
    });
    return groups;
  }
  static HostFile load() {
    std::ostringstream text;
    text << std::ifstream(GetParam()).rdbuf();
    return decode(GetParam().filename(), text.str()).value_or(HostFile{});
  }
};

TEST_P(ExampleHost, IsNamedAsItsFileAndWrittenBackUnchanged) {
  const auto host = load();
  EXPECT_EQ(host.name, GetParam().stem());
  const auto written = write_host_file(host);
  const auto again = decode("written", written);
  EXPECT_EQ(again, host);
  EXPECT_EQ(write_host_file(again.value_or(HostFile{})), written);
}

TEST_P(ExampleHost, BootsIntoTheStateItIsIn) {
  const auto host = load();
  SimHost sim(host);
  ASSERT_TRUE(sim.reboot());
  const SimHost before(host);
  EXPECT_EQ(*sim.view().files.read("/proc/cmdline"), *before.view().files.read("/proc/cmdline"));
  EXPECT_EQ(*sim.view().modules.loaded(), *before.view().modules.loaded());
  EXPECT_EQ(*sim.view().files.list("/sys/class/iommu"), *before.view().files.list("/sys/class/iommu"));
  EXPECT_EQ(pci_groups(sim), pci_groups(before));
  for (const auto& [gpu, hardware] : host.machine.gpus) {
    const std::string directory = "/sys/bus/pci/devices/" + gpu.to_string();
    const auto overridden = before.view().files.read(directory + "/driver_override");
    if (overridden && *overridden != "(null)\n") continue;  // by hand or by gpuhost, for one boot
    EXPECT_EQ(sim.view().files.link_target(directory + "/driver").value_or(""),
              before.view().files.link_target(directory + "/driver").value_or(""))
        << directory;
  }
}

TEST_P(ExampleHost, HasNoBrokenLinkButThoseOfTheKernel) {
  const auto host = load();
  const SimHost sim(host);
  for (const auto& [path, entry] : host.files) {
    if (!std::holds_alternative<HostFile::Link>(entry) || path.starts_with("/sys/class/iommu/")) continue;
    const auto& files = sim.view().files;
    EXPECT_TRUE(files.list(path) || files.read(path)) << path;
  }
}

INSTANTIATE_TEST_SUITE_P(Examples, ExampleHost, ::testing::ValuesIn(example_hosts()), [](const auto& test) {
  auto name = test.param.stem().string();
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
}  // namespace gpuhost
