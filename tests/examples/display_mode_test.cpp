#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalog/display_modes.hpp"
#include "examples/applying.hpp"
#include "render/plan.hpp"
#include "sim/gpu_hosts.hpp"
#include "support/plan_titles.hpp"

// Display modes on simulated hosts.

namespace gpuhost::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;

constexpr const char* first = "0000:05:00.0";
constexpr const char* second = "0000:06:00.0";

/// Line 1 of `resource`: so many MiB at BAR 1.
HostFile::Text resource_with(std::uint64_t bar1_mib) {
  constexpr std::uint64_t start = 0x3000000000;
  return {
      fmt::format("0x00000000f0000000 0x00000000f0ffffff 0x0000000000040200\n0x{:016x} 0x{:016x} "
                  "0x000000000014220c\n",
                  start, start + bar1_mib * 1024 * 1024 - 1)};
}

/// A Tesla M60, its two GPUs behind the switch of their board, in compute mode.
HostFile m60_in_compute_mode() {
  auto host = gpu_hosts::base();
  const std::string board = "/sys/devices/pci0000:00/0000:00:03.0/0000:03:00.0";
  for (const std::string gpu : {"0000:04:08.0/0000:05:00.0", "0000:04:10.0/0000:06:00.0"}) {
    const auto directory = board + "/" + gpu;
    gpu_hosts::add_device(host, directory, "0x13f2", "0x113a", "0x030200");
    host.files[directory + "/resource"] = resource_with(8192);
    host.machine.gpus[gpu_hosts::address(gpu.substr(gpu.find('/') + 1))] = {
        .framework = HostFile::VgpuFramework::mdev};
  }
  host.domains["qemu:///system"] = {};
  host.files["/etc/machine-id"] = gpu_hosts::line("4ef4c4c6348b53cf837e5dbdb85d7c8c");
  host.files["/usr/local/sbin/gpumodeswitch"] = HostFile::Text{"", 0755};
  host.files["/proc/sys/kernel/random/boot_id"] = gpu_hosts::line("3c896dfa-6a70-4107-be06-a490a73a5afa");
  return host;
}

/// A GPU of this board alone, in the mode of this PCI class.
HostFile host_with(const catalog::Board& board, std::uint16_t class_code) {
  auto host = gpu_hosts::base();
  gpu_hosts::add_device(host, std::string("/sys/bus/pci/devices/") + first,
                        fmt::format("0x{:04x}", board.device_id),
                        fmt::format("0x{:04x}", board.subsystem_device_id.value_or(0x1234)),
                        fmt::format("0x{:04x}00", class_code));
  host.machine.gpus[gpu_hosts::address(first)] = {};
  host.domains["qemu:///system"] = {};
  for (const auto* tool : {"gpumodeswitch", "displaymodeselector"})
    host.files[std::string("/usr/local/sbin/") + tool] = HostFile::Text{"", 0755};
  host.files["/proc/sys/kernel/random/boot_id"] = gpu_hosts::line("3c896dfa-6a70-4107-be06-a490a73a5afa");
  return host;
}

DecodedDocument wanting(const std::string& policy, const std::string& entries) {
  return document_from("display",
                       "apiVersion: gpuhost/v1\nkind: HostState\nmetadata: {name: modes}\n"
                       "policy: {disruption: " +
                           policy + "}\ngpus:\n" + entries);
}

std::string entry(const char* address, const std::string& rest) {
  return fmt::format("  - {{match: {{address: \"{}\"}}, {}}}\n", address, rest);
}

Plan plan_of(const DecodedDocument& document, const SimHost& sim) {
  return plan_once(document.desired, sim.view()).value();
}

TEST(DisplayModes, EachBoardHasTheModeThatVgpusNeedOrSaysThatItHasNoSwitch) {
  unsigned switched = 0;
  unsigned fixed = 0;
  for (const auto& board : catalog::boards()) {
    const auto modes = catalog::display_modes_of(board);
    const auto wrong = std::ranges::find(modes, false, &catalog::DisplayMode::vgpus);
    const gpu_hosts::Machine host(host_with(board, wrong == modes.end() ? 0x0302 : wrong->class_code));
    const auto plan = plan_of(wanting("reboot", entry(first, "mode: vgpu, display: auto")), host.sim);
    if (!modes.empty()) {
      const auto* wanted = board.display_tool == "gpumodeswitch" ? "graphics" : "display-off";
      EXPECT_THAT(titles(plan), Contains(HasSubstr(fmt::format("to {} for the next boot", wanted))))
          << board.product;
      EXPECT_TRUE(plan.applyable()) << plan_text(plan, {});
      ++switched;
      continue;
    }
    EXPECT_THAT(titles(plan), IsEmpty()) << board.product;
    const auto* says = board.display_tool == "no" ? "which has no switch of display modes" : "is not known";
    EXPECT_THAT(plan.notes, Contains(::testing::Field(&Note::message, HasSubstr(says)))) << board.product;
    const auto asked = plan_of(wanting("reboot", entry(first, "display: display-off")), host.sim);
    EXPECT_FALSE(asked.applyable() && asked.complete) << board.product;
    ++fixed;
  }
  EXPECT_EQ(switched, 13U);
  EXPECT_EQ(fixed, catalog::boards().size() - 13);
}

TEST(DisplayModes, AWholeBoardIsSwitchedAndIsSoAfterTheBoot) {
  gpu_hosts::Machine host(m60_in_compute_mode());
  const auto document = wanting("reboot", entry(first, "mode: vgpu, display: auto"));
  const auto plan = plan_of(document, host.sim);
  EXPECT_THAT(titles(plan),
              ElementsAre("unload NVIDIA's driver (nvidia)",
                          "switch GPU 0000:05:00.0 and the rest of its board to graphics for the next boot",
                          "load NVIDIA's driver again"))
      << plan_text(plan, {});
  const auto report = apply(document, host.sim);
  EXPECT_EQ(report.result, RunReport::Result::converged) << ::testing::PrintToString(report.errors);
  for (const auto* gpu : {first, second}) {
    EXPECT_EQ(host.read(gpu_hosts::Machine::pci(gpu) + "/class"), "0x030000");
    EXPECT_EQ(host.driver(gpu), "nvidia");
  }
  EXPECT_TRUE(plan_of(document, host.sim).empty());
  EXPECT_THAT(writes(host.sim), IsSupersetOf({"modules.unload nvidia", "modules.load nvidia"}));
}

TEST(DisplayModes, VgpusAreMadeAfterTheBootThatTheyWaitFor) {
  gpu_hosts::Machine host(m60_in_compute_mode());
  const auto document = wanting("reboot",
                                "  - {name: m60, match: {address: \"0000:05:00.0\"}, mode: vgpu, "
                                "display: auto, vgpus: [{name: cad, type: M60-2Q}]}\n");
  const auto plan = plan_of(document, host.sim);
  EXPECT_EQ(plan.phases.size(), 2U) << plan_text(plan, {});
  const auto report = apply(document, host.sim);
  EXPECT_EQ(report.result, RunReport::Result::converged) << ::testing::PrintToString(report.errors);
  EXPECT_EQ(host.count("/sys/bus/mdev/devices"), 1U);
}

TEST(DisplayModes, VgpusInAnotherModeAreRefusedIfTheDocumentDoesNotSwitchIt) {
  const gpu_hosts::Machine host(m60_in_compute_mode());
  const auto plan = plan_of(
      wanting("reboot", entry(first, "name: m60, mode: vgpu, vgpus: [{name: cad, type: M60-2Q}]")), host.sim);
  EXPECT_FALSE(plan.applyable());
  EXPECT_THAT(plan_text(plan, {}),
              AllOf(HasSubstr("is in compute mode (PCI class 0302), and vGPUs need graphics mode: set "),
                    HasSubstr("gpumodeswitch")));
}

TEST(DisplayModes, WhatIsSwitchedWaitsForTheBootAndIsNotSwitchedTwice) {
  gpu_hosts::Machine host(m60_in_compute_mode());
  const auto document = wanting("reload-driver", entry(first, "mode: vgpu, display: graphics"));
  auto whole = host.sim.host();
  Witness silent;
  const auto approved = plan_once(document.desired, host.sim.view());
  EXPECT_EQ(reconcile(document.desired, *approved, whole, silent, {.executor = {.workers = 1}})->result,
            RunReport::Result::reboot_required);
  const auto waiting = plan_of(document, host.sim);
  EXPECT_THAT(titles(waiting), IsEmpty());
  EXPECT_THAT(waiting.findings,
              Contains(::testing::Field(&Finding::verdict, Finding::Verdict::pending_reboot)));
  // Another mode before the boot is a switch again.
  EXPECT_THAT(titles(plan_of(wanting("reload-driver", entry(first, "display: compute")), host.sim)),
              Contains(HasSubstr("to compute for the next boot")));
  EXPECT_TRUE(host.sim.reboot());
  EXPECT_TRUE(plan_of(document, host.sim).empty());
}

TEST(DisplayModes, OfABarThatNoModeHasAreUnknown) {
  auto file = m60_in_compute_mode();
  const std::string gpu = "/sys/devices/pci0000:00/0000:00:03.0/0000:03:00.0/0000:04:08.0/0000:05:00.0";
  file.files[gpu + "/class"] = gpu_hosts::line("0x030000");
  const gpu_hosts::Machine host(file);
  const auto plan = plan_of(wanting("reboot", entry(first, "mode: vgpu, display: auto")), host.sim);
  EXPECT_THAT(titles(plan), IsEmpty());
  EXPECT_THAT(plan.findings,
              Contains(::testing::Field(
                  &Finding::reason,
                  "PCI class 0300 with 8192 MiB at BAR 1 is that of no mode of a Tesla M60; gpumodeswitch "
                  "--listgpumodes tells, while NVIDIA's driver is not loaded")));
}

TEST(DisplayModes, WhatCannotBeIsRefused) {
  const gpu_hosts::Machine host(m60_in_compute_mode());
  const auto problem = [&](const std::string& rest) {
    const auto plan = plan_of(wanting("reboot", entry(first, rest)), host.sim);
    EXPECT_FALSE(plan.applyable());
    return plan.notes.empty() ? std::string{} : plan.notes.front().message + ": " + plan.notes.front().advice;
  };
  EXPECT_EQ(problem("mode: vgpu, display: compute"),
            "GPU 0000:05:00.0 is a Tesla M60, which has no vGPUs in mode compute: say graphics, or auto");
  EXPECT_EQ(problem("display: display-off"),
            "GPU 0000:05:00.0 is a Tesla M60, which has no mode display-off: say graphics or compute");
  const auto plan = plan_of(
      wanting("reboot", entry(first, "display: graphics") + entry(second, "display: compute")), host.sim);
  EXPECT_FALSE(plan.applyable());
  EXPECT_EQ(plan.notes.front().message,
            "GPU 0000:05:00.0 and GPU 0000:06:00.0 are on one board, and cannot be graphics and compute");
}

TEST(DisplayModes, WithoutTheToolOrWithTheConsoleOnItNothingIsSwitched) {
  auto without = m60_in_compute_mode();
  without.files.erase("/usr/local/sbin/gpumodeswitch");
  const gpu_hosts::Machine host(without);
  const auto plan = plan_of(wanting("reboot", entry(first, "display: graphics")), host.sim);
  EXPECT_FALSE(plan.applyable());
  EXPECT_THAT(plan_text(plan, {}), HasSubstr("gpumodeswitch is not there; put it into /usr/local/sbin"));

  const auto* a40 = catalog::boards_named("A40").front();
  auto console = host_with(*a40, 0x0300);
  console.files[std::string("/sys/bus/pci/devices/") + first + "/boot_vga"] = gpu_hosts::line("1");
  const gpu_hosts::Machine desk(console);
  EXPECT_THAT(plan_text(plan_of(wanting("reboot", entry(first, "display: display-off")), desk.sim), {}),
              HasSubstr("the console of the host is on GPU 0000:05:00.0"));
}

TEST(DisplayModes, ADriverThatIsNotAllowedToGoStays) {
  const gpu_hosts::Machine host(m60_in_compute_mode());
  const auto plan = plan_of(wanting("stop-guests", entry(first, "display: graphics")), host.sim);
  EXPECT_FALSE(plan.applyable());
  EXPECT_THAT(plan_text(plan, {}), HasSubstr("reload-driver"));
}

TEST(DisplayModes, LeftOutItStaysAndReleaseGivesItBack) {
  gpu_hosts::Machine host(m60_in_compute_mode());
  const auto document = wanting("reboot", entry(first, "display: graphics"));
  ASSERT_EQ(apply(document, host.sim).result, RunReport::Result::converged);
  SimHost released(host.sim.file());
  EXPECT_EQ(apply(wanting("reboot", entry(first, "functions: disabled")), host.sim).result,
            RunReport::Result::converged);
  EXPECT_EQ(host.read(gpu_hosts::Machine::pci(first) + "/class"), "0x030000");
  EXPECT_TRUE(Ownership::load(host.sim.view().files)->empty());

  EXPECT_EQ(apply(empty_document("modes", {.disruption = Disruption::reboot}), released).result,
            RunReport::Result::converged);
  EXPECT_EQ(released.view().files.read(gpu_hosts::Machine::pci(first) + "/class").value_or(""), "0x030200\n");
  EXPECT_TRUE(Ownership::load(released.view().files)->empty());
}

}  // namespace
}  // namespace gpuhost::testing
