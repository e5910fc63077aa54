#include "host/sim/host_file.hpp"

#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "support/source_folder.hpp"

namespace gpuhost {
namespace {

std::optional<HostFile> decode(const std::string& text, std::string* problems = nullptr) {
  Diagnostics diagnostics;
  auto host = decode_host_file(diagnostics.add_source({"host.yaml", text}), diagnostics);
  if (problems != nullptr) *problems = diagnostics.render();
  return host;
}

const std::string header = "apiVersion: gpuhost/v1\nkind: Host\nmetadata: {name: test}\n";

/// Has every form there is, written as write_host_file writes it.
std::string full_host() {
  std::ostringstream text;
  text << std::ifstream(testing::source_folder() / "tests/sim/every_form.yaml").rdbuf();
  return text.str();
}

TEST(HostFile, ReadsEveryForm) {
  std::string problems;
  const auto host = decode(full_host(), &problems);
  ASSERT_TRUE(host) << problems;
  EXPECT_EQ(host->machine.iommu, HostFile::Iommu::amd);
  EXPECT_EQ(host->machine.initramfs, "blacklist nouveau\n");
  EXPECT_EQ(host->files.at("/etc/hostname"), HostFile::Entry(HostFile::Text{"full\n"}));
  EXPECT_EQ(host->files.at("/proc/cmdline"), HostFile::Entry(HostFile::Text{"no line end", 0444}));
  EXPECT_EQ(host->files.at("/sys/bus/pci/devices/0000:41:00.0/sriov_totalvfs"),
            HostFile::Entry(HostFile::Text{"16\n"}));
  const auto& config =
      std::get<HostFile::Text>(host->files.at("/sys/bus/pci/devices/0000:41:00.0/config")).content;
  ASSERT_EQ(config.size(), 4096U);
  EXPECT_EQ(config.substr(0, 4), "\xde\x10\xf1\x20");
  EXPECT_EQ(config[0x10f], '\x7f');
  EXPECT_EQ(host->files.at("/dev/kvm"), HostFile::Entry(HostFile::Device{}));
  EXPECT_EQ(host->modules.at("nouveau").file.parameters, (std::vector<std::string>{"config", "modeset"}));
  EXPECT_EQ(host->modules.at("nouveau").defaults.at("modeset"), "-1");
  EXPECT_EQ(*host->modules.at("nvidia").loaded, (LoadedModule{7, {"nvidia_modeset"}}));
  EXPECT_EQ(*host->modules.at("odd").unknown, (Error{ErrorKind::denied, "no index", "run as root"}));
  EXPECT_EQ(host->units.at("a.service").state, (UnitState{"loaded", "active", "exited", "enabled"}));
  EXPECT_EQ(host->units.at("b.service").state, (UnitState{"loaded", "inactive", "dead", "disabled"}));
  EXPECT_EQ(host->units.at("c.service").state, (UnitState{"masked", "inactive", "dead", "masked"}));
  EXPECT_EQ(host->units.at("d.service").unknown->kind, ErrorKind::unavailable);
}

TEST(HostFile, ReadsWhatTheGpusAre) {
  const auto host = decode(full_host());
  ASSERT_TRUE(host);
  const auto& gpus = host->machine.gpus;
  ASSERT_EQ(gpus.size(), 3U);
  const HostFile::Gpu first{.uuid = "GPU-11111111-2222-3333-4444-555555555555",
                            .drivers = {"nvidia"},
                            .framework = HostFile::VgpuFramework::mdev,
                            .first_function = PciAddress::parse("0000:41:00.4"),
                            .types_after = 3,
                            .failing_function = 5,
                            .serial = "1563221011234",
                            .ecc = GpuSwitch{true, false},
                            .scheduler = {.policy = VgpuScheduler::Policy::fixed_share,
                                          .round_robin = false,
                                          .timeslice_ns = 3'000'000,
                                          .averaging = 60},
                            .next_display = "physical_display_disabled",
                            .mixed_sizes = true,
                            .licensed = true,
                            .reset_time = std::chrono::seconds{8},
                            .mig_profiles = {{{.id = 9,
                                               .name = "3g.20gb",
                                               .slices = 3,
                                               .most = 2,
                                               .memory_mb = 19968,
                                               .placements = {{0, 4}, {4, 4}}}}},
                            .mig = {.mode = {true, true},
                                    .instances = {{.id = 2,
                                                   .profile = 9,
                                                   .placement = {4, 4},
                                                   .compute_instances = {{0, {0, 2}}, {1, {2, 1}}},
                                                   .processes = {4711},
                                                   .vgpus = 1}}},
                            .vgpu_types = {{1145, "NVIDIA L40S-1B"}}};
  EXPECT_EQ(gpus.at(*PciAddress::parse("0000:41:00.0")), first);
  const auto& gone = gpus.at(*PciAddress::parse("0000:61:00.0"));
  EXPECT_TRUE(gone.gone);
  EXPECT_EQ(gone.ecc, (GpuSwitch{false, false}));
  EXPECT_EQ(gone.mig.mode, (GpuSwitch{false, true}));
  EXPECT_TRUE(gone.mig_profiles && gone.mig_profiles->empty()) << "it cannot be partitioned";
  EXPECT_EQ(gone.mig_unknown, (Error{ErrorKind::denied, "only root may ask"}));
  EXPECT_EQ(gone.framework, HostFile::VgpuFramework::vendor_vfio);
  EXPECT_EQ(gone.drivers, (std::vector<std::string>{"nvidia", "nouveau"}));
  EXPECT_EQ(gpus.at(*PciAddress::parse("0000:81:00.0")), HostFile::Gpu{});
  EXPECT_EQ(host->machine.functions.at(*PciAddress::parse("0000:41:00.1")).drivers,
            std::vector<std::string>{"snd_hda_intel"});
}

TEST(HostFile, NvidiasDriverMayNotHaveTold) {
  const auto host = decode(header + "machine: {gpus: {unknown: no library, '0000:41:00.0': {}}}\n");
  ASSERT_TRUE(host);
  EXPECT_EQ(host->machine.gpus_unknown, (Error{ErrorKind::unavailable, "no library"}));
  EXPECT_EQ(host->machine.gpus.size(), 1U);
  EXPECT_EQ(decode(write_host_file(*host)), host);
}

TEST(HostFile, ReadsProcessesAndDomains) {
  const auto host = decode(full_host());
  ASSERT_TRUE(host);
  EXPECT_EQ(host->processes.at(4711), (HostFile::Process{"nvidia-persiste",
                                                         "/system.slice/nvidia-persistenced.service",
                                                         {"/dev/nvidia0", "/dev/nvidiactl"}}));
  EXPECT_EQ(host->processes.at(4712), (HostFile::Process{"python3", "", {}}));
  EXPECT_EQ(host->domains.at("lxc:///").unknown, (Error{ErrorKind::unavailable, "no socket"}));
  const auto& domains = host->domains.at("qemu:///system").domains;
  const auto& guest = domains.at("train-01");
  EXPECT_EQ(guest.definition, "<domain type='kvm'>\n  <name>train-01</name>\n</domain>\n");
  EXPECT_NE(guest.live, guest.definition);
  EXPECT_TRUE(guest.running && guest.autostart && guest.persistent);
  EXPECT_TRUE(guest.ignores_shutdown && guest.refuses_detach);
  EXPECT_FALSE(domains.at("spare-01").persistent);
  EXPECT_FALSE(domains.at("train-02").running);
  EXPECT_TRUE(domains.at("train-02").saved);
}

TEST(HostFile, ADomainMayBeNamedUnknown) {
  const auto host =
      decode(header +
             "domains: {'qemu:///system': {unknown: {definition: <domain><name>unknown</name></domain>}}}\n");
  ASSERT_TRUE(host);
  EXPECT_EQ(host->domains.at("qemu:///system").domains.at("unknown").definition,
            "<domain><name>unknown</name></domain>");
  EXPECT_EQ(decode(write_host_file(*host)), host);
}

TEST(HostFile, ALibvirtWithoutDomainsIsNoLibvirtThatCannotBeReached) {
  const auto host = decode(header + "domains: {'qemu:///system': {}}\n");
  ASSERT_TRUE(host);
  EXPECT_TRUE(host->domains.at("qemu:///system").domains.empty());
  EXPECT_EQ(decode(write_host_file(*host)), host);
}

TEST(HostFile, WritesBackWhatItRead) {
  const auto host = decode(full_host());
  ASSERT_TRUE(host);
  const std::string written = write_host_file(*host);
  EXPECT_EQ(written, full_host());
  EXPECT_EQ(decode(written), host);
}

TEST(HostFile, WritesAnyContentSoThatItIsReadBack) {
  for (const std::string& content :
       {std::string(), std::string("\n"), std::string("a"), std::string("a\n"), std::string("a\nb"),
        std::string("a\nb\n\n"), std::string(" indented\n  more\n"), std::string("\n\nb\n"),
        std::string("null\n"), std::string("true\n"), std::string("# no comment\n"), std::string("'\"\\\t\n"),
        std::string("\x1b[31m\n"), std::string("a\r\nb\r\n"), std::string("\0\x01\xff", 3),
        std::string(40, '\0'), std::string("größe\n"), std::string("- a: b\n- c\n"),
        std::string("trailing \n \n")}) {
    HostFile host;
    host.name = "test";
    host.files["/etc/x"] = HostFile::Text{content};
    std::string problems;
    const auto written = write_host_file(host);
    EXPECT_EQ(decode(written, &problems), host) << written << problems;
  }
}

TEST(HostFile, UnknownSectionsAreKept) {
  HostFile host;
  host.name = "test";
  host.modules_unknown =
      Error{ErrorKind::unsupported, "the kernel has no module support", "use another kernel"};
  host.units_unknown = Error{ErrorKind::unavailable, "no system bus"};
  host.modules["nouveau"].unknown = Error{ErrorKind::not_found, "none"};
  EXPECT_EQ(decode(write_host_file(host)), host) << write_host_file(host);
}

TEST(HostFile, TakesDirectoriesFromTheirContentAndEmptyGroups) {
  const auto host =
      decode(header + "files: {/a/: {}, /b: {directory: true}, /b/c: x, /d/: {e: 1, f: {link: e}}}\n");
  ASSERT_TRUE(host);
  EXPECT_EQ(host->files, (std::map<std::string, HostFile::Entry>{{"/a", HostFile::Directory{}},
                                                                 {"/b/c", HostFile::Text{"x\n"}},
                                                                 {"/d/e", HostFile::Text{"1\n"}},
                                                                 {"/d/f", HostFile::Link{"e"}}}));
}

TEST(HostFile, TakesAUnitInOneWord) {
  const auto host = decode(header + "units: {a.socket: active, b.service: failed}\n");
  ASSERT_TRUE(host);
  EXPECT_EQ(host->units.at("a.socket").state, (UnitState{"loaded", "active", "listening", "disabled"}));
  EXPECT_EQ(host->units.at("b.service").state, (UnitState{"loaded", "failed", "failed", "disabled"}));
}

struct Mistake {
  std::string text;
  std::string problem;  ///< a part of what is said, place included
};

class HostFileMistake : public ::testing::TestWithParam<Mistake> {};

TEST_P(HostFileMistake, IsRefusedWithItsPlace) {
  std::string problems;
  EXPECT_FALSE(decode(GetParam().text, &problems));
  EXPECT_NE(problems.find(GetParam().problem), std::string::npos) << problems;
}

INSTANTIATE_TEST_SUITE_P(
    HostFile, HostFileMistake,
    ::testing::Values(
        Mistake{"apiVersion: v1\nkind: HostState\nmetadata: {name: a}\n", "host.yaml:1:13: 'v1' is not read"},
        Mistake{"apiVersion: gpuhost/v1\nkind: HostState\nmetadata: {name: a}\n",
                "host.yaml:2:7: 'HostState' is not the kind of a host file"},
        Mistake{"apiVersion: gpuhost/v1\nkind: Host\n", "the key 'metadata' is missing"},
        Mistake{"apiVersion: gpuhost/v1\nkind: Host\nmetadata: {}\n", "the key 'name' is missing"},
        Mistake{header + "file: {}\n", "host.yaml:4:1: unknown key 'file'"},
        Mistake{header + "files: []\n", "host.yaml:4:8: a mapping is needed"},
        Mistake{header + "files: {etc/x: a}\n", "'etc/x' is not an absolute path"},
        Mistake{header + "files: {/etc/../x: a}\n", "not an absolute path without"},
        Mistake{header + "files: {/etc//x: a}\n", "not an absolute path without"},
        Mistake{header + "files: {/etc/: {a/b: c}}\n", "'a/b' is not the name of a file"},
        Mistake{header + "files: {/etc/: {a: b}, /etc/a: c}\n", "the file /etc/a stands here twice"},
        Mistake{header + "files: {/a: [1]}\n", "a mapping is needed"},
        Mistake{header + "files: {/a: {txt: b}}\n", "unknown key 'txt'"},
        Mistake{header + "files: {/a: {text: b, link: c}}\n", "only one of"},
        Mistake{header + "files: {/a: {text: b, mode: 0999}}\n", "'0999' is not a file mode"},
        Mistake{header + "files: {/a: {link: b, mode: 0644}}\n", "unknown key 'mode'"},
        Mistake{header + "files: {/a: {directory: false}}\n", "only true makes sense"},
        Mistake{header + "files: {/a: {hex: '00: zz', size: 16}}\n", "no hexadecimal dump"},
        Mistake{header + "files: {/a: {hex: '00: 11 22', size: 1}}\n", "no hexadecimal dump"},
        Mistake{header + "processes: {a: {name: b}}\n", "host.yaml:4:13: 'a' is not the number of a process"},
        Mistake{header + "processes: {'0': {name: b}}\n", "'0' is not the number of a process"},
        Mistake{header + "processes: {4194305: {name: b}}\n", "is not the number of a process"},
        Mistake{header + "processes: {1: {}}\n", "the key 'name' is missing"},
        Mistake{header + "domains: {x: {a: {}}}\n", "the key 'definition' is missing"},
        Mistake{header + "domains: {x: {a: {definition: b, live: c}}}\n",
                "host.yaml:4:15: the domain a has no live XML"},
        Mistake{header + "domains: {x: {a: {definition: b, running: true, saved: true}}}\n",
                "the domain a cannot be running and saved"},
        Mistake{header + "domains: {x: {a: {definition: b, persistent: false}}}\n",
                "the domain a is transient and does not run"},
        Mistake{header +
                    "domains: {x: {a: {definition: b, persistent: false, running: true, autostart: true}}}\n",
                "the domain a is transient and cannot start by itself"},
        Mistake{header + "domains: {x: {a: {definition: <domain><name>b</name></domain>}}}\n",
                "host.yaml:4:15: the XML of the domain a is that of b"},
        Mistake{header + "domains: {x: {unknown: gone, a: {definition: b}}}\n",
                "the domains are unknown, and yet there are some"},
        Mistake{header + "files: {/a: {hex: '00: 11'}}\n", "the key 'size' is missing"},
        Mistake{header + "machine: {iommu: arm}\n", "'arm' is not one of none, intel, amd"},
        Mistake{header + "machine: {iommuGroups: {x: []}}\n", "'x' is not the number of an IOMMU group"},
        Mistake{header + "machine: {iommuDefaultOn: 1}\n", "neither true nor false"},
        Mistake{header + "machine: {gpus: {left: {}}}\n", "'left' is not a PCI address"},
        Mistake{header + "machine: {gpus: {'0:1:2.3': {}}}\n", "'0:1:2.3' is not a PCI address"},
        Mistake{header + "machine: {gpus: {'0000:a1:00.0': {}, '0000:A1:00.0': {}}}\n", "stands here twice"},
        Mistake{header + "machine: {gpus: {'0000:a1:00.0': {framework: mig}}}\n",
                "'mig' is not one of none, mdev, vendor-vfio"},
        Mistake{header + "machine: {gpus: {'0000:a1:00.0': {firstFunction: 4}}}\n", "write \"4\""},
        Mistake{header + "machine: {gpus: {'0000:a1:00.0': {firstFunction: a1}}}\n", "PCI address"},
        Mistake{header + "machine: {gpus: {'0000:a1:00.0': {functionFails: -1}}}\n", "-1 is not between"},
        Mistake{header + "machine: {gpus: {'0000:a1:00.0': {driver: nvidia}}}\n", "unknown key 'driver'"},
        Mistake{header + "machine: {functions: {'0000:a1:00.1': {gone: true}}}\n", "unknown key 'gone'"},
        Mistake{header + "modules: {a: {at-boot: true}}\n", "unknown key 'at-boot'"},
        Mistake{header + "modules: {a-b: {}, a_b: {}}\n", "the module a_b stands here twice"},
        Mistake{header + "modules: {a: {loaded: maybe}}\n", "neither true nor false"},
        Mistake{header + "modules: {a: {loaded: {uses: -1}}}\n", "-1 is not between"},
        Mistake{header + "modules: {unknown: {kind: denied}}\n", "the key 'reason' is missing"},
        Mistake{header + "modules: {unknown: {reason: a, kind: odd}}\n", "'odd' is not one of"},
        Mistake{header + "units: {a.service: {active: true}}\n", "unknown key 'active'"},
        Mistake{header + "units: {a.service: {unknown: x, state: active}}\n", "unknown key 'state'"},
        Mistake{header + "units: {a.service: {state: [active]}}\n", "a single value is needed"}));

TEST(HostFile, ReportsEveryProblemAtOnce) {
  std::string problems;
  EXPECT_FALSE(decode(header + "machine: {iommu: x}\nunits: {a: {b: c}}\nother: 1\n", &problems));
  for (const char* part : {"host.yaml:4:", "host.yaml:5:", "host.yaml:6:"}) {
    EXPECT_NE(problems.find(part), std::string::npos) << problems;
  }
}

}  // namespace
}  // namespace gpuhost
