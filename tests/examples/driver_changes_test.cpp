#include <algorithm>
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.hpp"
#include "examples/applying.hpp"
#include "render/plan.hpp"

namespace gpuhost::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* host_name = "kvm-a100-pair";
constexpr const char* older = "535.161.05";  ///< what the host has
constexpr const char* newer = "580.159.01";
constexpr const char* bare_metal = "580.159.03";

/// An example without its section `driver`, with leave to reload one.
std::string start_of(const std::string& name) {
  if (name.empty())
    return "apiVersion: gpuhost/v1\nkind: HostState\nmetadata: {name: kvm-gpu-11}\npolicy:\n  disruption: "
           "reload-driver\n";
  const auto example = text_of(examples / host_name / (name + ".yaml"));
  std::string text;
  for (const auto line : lines(example))
    if (!line.starts_with("driver:"))
      text.append(line.starts_with("  disruption:") ? "  disruption: reload-driver" : line).append("\n");
  return text;
}

/// `rest` with the driver that the host's installer of this version brings.
DecodedDocument with_driver(const std::string& rest, const HostFile& host, const std::string& version) {
  const auto installer = std::ranges::find(host.installers, version, &HostFile::Installer::version);
  if (installer == host.installers.end()) throw std::runtime_error("no installer of " + version);
  const auto is_it = [&](const auto& file) {
    const auto* large = std::get_if<HostFile::Large>(&file.second);
    return large != nullptr && large->sha256 == installer->sha256 && file.first.starts_with("/srv/");
  };
  const auto file = std::ranges::find_if(host.files, is_it);
  return document_from("driver.yaml", rest + "driver: {flavor: " + installer->flavor +
                                          ", version: " + version + ", source: {runfile: " + file->first +
                                          ", sha256: " + installer->sha256 + "}}\n");
}

HostFile::Installer& installer_in(HostFile& host, const std::string& version) {
  return *std::ranges::find(host.installers, version, &HostFile::Installer::version);
}

std::string loaded_version(const SimHost& sim) {
  return std::string(trim(sim.view().files.read("/sys/module/nvidia/version").value_or("none")));
}

std::vector<std::string> running_guests(const SimHost& sim) {
  std::vector<std::string> names;
  for (const auto& [name, domain] : sim.file().domains.at("qemu:///system").domains)
    if (domain.running) names.push_back(name);
  return names;
}

/// Functions, GPU instances and vGPUs that there are.
std::vector<std::string> partitions(const SimHost& sim) {
  std::vector<std::string> found =
      sim.view().files.list("/sys/bus/mdev/devices").value_or(std::vector<std::string>{});
  for (const auto& [address, gpu] : sim.file().machine.gpus) {
    for (const auto& instance : gpu.mig.instances)
      found.push_back(address.to_string() + " " + std::to_string(instance.profile) + " " +
                      std::to_string(instance.placement.start));
    const auto numvfs =
        sim.view().files.read("/sys/bus/pci/devices/" + address.to_string() + "/sriov_numvfs").value_or("");
    found.push_back(address.to_string() + " functions " + numvfs);
  }
  return found;
}

/// The host in which an example has been applied, with its own driver.
HostFile started(const std::string& name) {
  SimHost sim(host_named(host_name));
  const auto report = apply(document_from("start.yaml", start_of(name)), sim);
  if (!settled(report))
    throw std::runtime_error("does not settle: " + ::testing::PrintToString(report.errors));
  return sim.file();
}

class ChangingTheDriver : public ::testing::TestWithParam<std::string> {
 protected:
  std::string rest = start_of(GetParam());
  HostFile before = started(GetParam());
};

TEST_P(ChangingTheDriver, UpgradesAndDowngradesUnderWhatIsThere) {
  SimHost sim(before);
  const auto guests = running_guests(sim);
  const auto parts = partitions(sim);
  for (const auto* version : {newer, older}) {
    const auto document = with_driver(rest, before, version);
    const auto report = apply(document, sim);
    ASSERT_TRUE(settled(report)) << version << ::testing::PrintToString(report.errors);
    EXPECT_EQ(loaded_version(sim), version);
    EXPECT_EQ(running_guests(sim), guests) << version;
    EXPECT_EQ(partitions(sim), parts) << version;
    const auto after = plan_once(document.desired, sim.view());
    EXPECT_TRUE(after->empty()) << plan_text(*after, {});
  }
}

/// A sanitizer makes each run many times as long: there it is a sample.
#ifdef __SANITIZE_ADDRESS__
constexpr std::size_t most_faults = 3;
#else
constexpr std::size_t most_faults = 15;
#endif

/// What gpuhost has installed itself it can put back: each write fails once, and the old driver works again
/// with all that was on it.
TEST_P(ChangingTheDriver, ThatFailsAnywhereLeavesTheOldOneAtWork) {
  SimHost once(before);
  ASSERT_TRUE(settled(apply(with_driver(rest, before, newer), once)));
  const HostFile from = once.file();
  const auto document = with_driver(rest, before, older);
  SimHost whole(from);
  ASSERT_TRUE(settled(apply(document, whole)));
  const auto calls = writes(whole);
  std::map<std::string, unsigned> seen;
  for (std::size_t at = 0; at < calls.size(); ++at) {
    const unsigned nth = ++seen[calls[at]];
    if (at % (calls.size() / most_faults + 1) != 0) continue;
    SimHost sim(from);
    sim.inject(calls[at], nth, {ErrorKind::io, "injected"});
    const auto failed = apply(document, sim);
    const auto where = calls[at] + " " + std::to_string(nth) + ::testing::PrintToString(failed.errors);
    EXPECT_FALSE(settled(failed)) << where;
    if (failed.held.empty()) {
      EXPECT_EQ(loaded_version(sim), newer) << where;
      EXPECT_EQ(running_guests(sim), running_guests(once)) << where;
      EXPECT_EQ(partitions(sim), partitions(once)) << where;
    }
    const auto mended = apply(document, sim);
    EXPECT_TRUE(settled(mended)) << where << ::testing::PrintToString(mended.errors);
    EXPECT_EQ(loaded_version(sim), older) << where;
  }
}

struct Fault {
  HostFile::Installer::Fault fault;
  const char* told;
};

TEST_P(ChangingTheDriver, ByAnInstallerThatDoesNotDoItsWorkIsCaught) {
  using Kind = HostFile::Installer::Fault;
  SimHost once(before);
  ASSERT_TRUE(settled(apply(with_driver(rest, before, newer), once)));
  for (const auto& [fault, told] :
       {Fault{Kind::does_nothing, "ended without an error, and the driver that is installed is"},
        Fault{Kind::fails, "Installation has failed"}, Fault{Kind::hangs, "did not end in time"},
        Fault{Kind::brings_broken_modules, "cannot load module nvidia"}}) {
    HostFile from = once.file();
    installer_in(from, older).fault = fault;
    SimHost sim(from);
    const auto report = apply(with_driver(rest, before, older), sim);
    EXPECT_EQ(report.result, RunReport::Result::undone) << told << ::testing::PrintToString(report.errors);
    EXPECT_THAT(report.errors, Contains(HasSubstr(told)));
    EXPECT_EQ(loaded_version(sim), newer) << told;
    EXPECT_EQ(running_guests(sim), running_guests(once)) << told;
    EXPECT_EQ(partitions(sim), partitions(once)) << told;
  }
}

INSTANTIATE_TEST_SUITE_P(Starts, ChangingTheDriver,
                         ::testing::Values("", "time-sliced", "partitioned", "shared-vm", "nova-mdev"),
                         [](const auto& one) {
                           std::string name = one.param.empty() ? "as_it_is" : one.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

/// The host's first driver came by hand: where it is lost, the report says what holds.
TEST(ChangingTheDriverOfOthers, ThatFailsSaysWhatCannotBePutBack) {
  HostFile host = host_named(host_name);
  installer_in(host, newer).fault = HostFile::Installer::Fault::brings_broken_modules;
  SimHost sim(host);
  const auto report = apply(with_driver(start_of(""), host, newer), sim);
  EXPECT_EQ(report.result, RunReport::Result::failed);
  EXPECT_THAT(report.held, Contains(HasSubstr("install NVIDIA's driver 580.159.01")));
  EXPECT_THAT(report.errors,
              Contains(HasSubstr("was not installed by gpuhost, which does not know its source")));
}

TEST(ChangingTheFlavor, TakesTheManagerAwayAndTheDriverWithIt) {
  const HostFile host = host_named(host_name);
  SimHost sim(host);
  const auto rest = start_of("") + "gpus: [{match: {all: true, expect: 2}, mode: bare-metal}]\n";
  for (const auto* version : {bare_metal, newer}) {
    const auto of_gpus = version == bare_metal ? rest : start_of("");
    const auto report = apply(with_driver(of_gpus, host, version), sim);
    ASSERT_TRUE(settled(report)) << ::testing::PrintToString(report.errors);
    EXPECT_EQ(loaded_version(sim), version);
  }
  const auto none = document_from("none.yaml", start_of("") + "driver: {flavor: none}\n");
  const auto report = apply(none, sim);
  ASSERT_TRUE(settled(report)) << ::testing::PrintToString(report.errors);
  EXPECT_EQ(loaded_version(sim), "none");
  EXPECT_FALSE(sim.view().modules.available("nvidia"));
  EXPECT_TRUE(plan_once(none.desired, sim.view())->empty());
  EXPECT_FALSE(Ownership::load(sim.view().files)->find("kvm-gpu-11", "driver"));
  const auto back = apply(with_driver(start_of(""), host, older), sim);
  ASSERT_TRUE(settled(back)) << ::testing::PrintToString(back.errors);
  EXPECT_EQ(loaded_version(sim), older);
}

}  // namespace
}  // namespace gpuhost::testing
