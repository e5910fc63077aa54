#include "kinds/functions/functions.hpp"

#include <gmock/gmock.h>

#include "kinds/gpu_facts.hpp"
#include "kinds/gpus/gpus.hpp"
#include "kinds/kernel_modules/kernel_modules.hpp"
#include "kinds/one_pass.hpp"
#include "kinds/passthrough/passthrough.hpp"
#include "support/gpu_plans.hpp"
#include "support/ownership_text.hpp"
#include "support/pci_bus.hpp"

namespace gpuhost::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* left = "0000:41:00.0";
constexpr const char* tool = "/usr/lib/nvidia/sriov-manage";
const PciAddress left_address = *PciAddress::parse(left);
const std::vector<std::string> addresses{"0000:41:00.4", "0000:41:00.5"};
const FunctionsWish on{.enabled = true};
const FunctionsWish off{.enabled = false};
const FunctionsWish for_vgpus{.enabled = {}, .has_vgpus = true};

/// A GPU with SR-IOV, and the tool that makes its functions.
struct Server {
  FakeHost host;
  Ownership owned;
  Policy policy;
  std::string interface = "mdev_supported_types";
  std::vector<CommandResult> failures;  ///< what the tool answers first, without doing anything
  std::set<std::string> broken;         ///< functions that get no driver
  bool types_at_once = true;            ///< else while somebody waits

  Server() {
    put_function(host, {.address = left});
    host.files[pci_devices + left + "/sriov_totalvfs"] = "2\n";
    host.files[pci_devices + left + "/sriov_numvfs"] = "0\n";
    host.files[tool] = "";
    host.directories.insert("/sys/bus/pci/drivers/nvidia");
    host.loaded_modules = {{"nvidia", {}}, {"nvidia_vgpu_vfio", {}}};
    host.on_command = [this](const Command& command) { return run_tool(command); };
    policy.disruption = Disruption::remove_idle;
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void enable() {
    put_virtual_functions(host, left, addresses, 20);
    for (const auto& address : broken) host.links.erase(pci_devices + address + "/driver");
    if (types_at_once) give_types();
  }
  void give_types() {
    for (const auto& address : addresses) {
      if (broken.contains(address)) continue;
      host.directories.insert(pci_devices + address + "/" + interface);
      if (interface == "nvidia") host.files[pci_devices + address + "/nvidia/current_vgpu_type"] = "0\n";
    }
  }
  void disable() {
    host.files[pci_devices + left + "/sriov_numvfs"] = "0\n";
    const auto belongs = [&](const std::string& path) {
      return path.starts_with(pci_devices + left + "/virtfn") ||
             std::ranges::any_of(
                 addresses, [&](const auto& address) { return path.starts_with(pci_devices + address); });
    };
    std::erase_if(host.files, [&](const auto& file) { return belongs(file.first); });
    std::erase_if(host.links, [&](const auto& link) { return belongs(link.first); });
    std::erase_if(host.directories, belongs);
  }
  void put_vgpu() {
    put_mediated_device(host, "11111111-2222-3333-4444-555555555555", addresses[0], "nvidia-468",
                        "GRID A100-4C", 30);
  }

  [[nodiscard]] static std::unique_ptr<Kind> kind(const FunctionsWish& wish) {
    return make_functions({{entry_of("left", left, {}), wish}});
  }
  [[nodiscard]] Proposal proposal(const FunctionsWish& wish) const {
    return plan(*kind(wish), host, owned, policy);
  }
  void apply(const FunctionsWish& wish) {
    const auto wanted = kind(wish);
    run_all(*wanted, plan(*wanted, host, owned, policy), host, owned);
    host.files[Ownership::path] = testing::text_of(owned);
  }
  Result<void> run_enable() {
    auto port = host.host();
    return kind(on)->run({"functions", "enable", "gpu[left].functions", {{"gpu", left}}}, port);
  }

 private:
  CommandResult run_tool(const Command& command) {
    if (!failures.empty()) {
      const auto answer = failures.front();
      failures.erase(failures.begin());
      return answer;
    }
    EXPECT_EQ(command.limit, std::chrono::seconds{120});
    if (command.argv.at(1) == "-e" && host.files.at(pci_devices + left + "/sriov_numvfs") == "0\n") enable();
    if (command.argv.at(1) == "-d") disable();
    return {};
  }
};

std::vector<std::string> blocks(const Proposal& proposal) {
  std::vector<std::string> all;
  for (const auto& step : proposal.steps)
    all.insert(all.end(), step.blocked_by.begin(), step.blocked_by.end());
  return all;
}

TEST(Functions, AreEnabledByNvidiasToolAndDisabledAgain) {
  Server server;
  const auto enable = server.proposal(on);
  ASSERT_EQ(enable.steps.size(), 1U);
  const auto& step = enable.steps[0];
  EXPECT_EQ(step.action.address, "gpu[left].functions");
  EXPECT_EQ(step.title, "enable the virtual functions of GPU left");
  EXPECT_EQ(step.disruption, Disruption::none);
  EXPECT_THAT(step.needs,
              ElementsAre(gpu_facts::idle(left_address), gpu_facts::bound(left_address, "nvidia")));
  EXPECT_THAT(step.provides, ElementsAre(gpu_facts::functions_enabled(left_address)));
  EXPECT_THAT(step.ends, ElementsAre(gpu_facts::functions_disabled(left_address)));
  EXPECT_THAT(step.affects, ElementsAre(Affected{"gpu", left}));
  ASSERT_TRUE(step.claims);
  EXPECT_EQ(step.claims->address, "gpu[0000:41:00.0].functions");
  EXPECT_EQ(finding(enable, "gpu[left].functions").observed, "disabled");

  server.apply(on);
  EXPECT_THAT(server.host.commands, ElementsAre("/usr/lib/nvidia/sriov-manage -e 0000:41:00.0"));
  EXPECT_EQ(server.host.writes, 0U) << "sriov_numvfs belongs to the driver";
  const auto again = server.proposal(on);
  EXPECT_THAT(again.steps, IsEmpty());
  EXPECT_EQ(finding(again, "gpu[left].functions").verdict, Finding::Verdict::in_sync);

  const auto disable = server.proposal(off).steps.at(0);
  EXPECT_EQ(disable.disruption, Disruption::remove_idle);
  EXPECT_THAT(disable.needs,
              ElementsAre(gpu_facts::idle(left_address), gpu_facts::without_vgpus(left_address)));
  EXPECT_THAT(disable.needs_now, ElementsAre(gpu_facts::bound(left_address, "nvidia")));
  server.apply(off);
  EXPECT_THAT(server.proposal(off).steps, IsEmpty());
  EXPECT_EQ(server.host.commands.back(), "/usr/lib/nvidia/sriov-manage -d 0000:41:00.0");
}

TEST(Functions, OfVgpusArePrerequisitesWithoutAWordOfTheirOwn) {
  Server server;
  const auto seen = server.proposal(for_vgpus);
  ASSERT_EQ(seen.steps.size(), 1U);
  EXPECT_EQ(seen.steps[0].reason, ActionReason::prerequisite);
  server.apply(for_vgpus);
  EXPECT_THAT(server.proposal(for_vgpus).steps, IsEmpty());
  EXPECT_THAT(server.proposal(for_vgpus).findings, IsEmpty());
  server.host.files.erase(pci_devices + left + "/sriov_totalvfs");
  EXPECT_THAT(server.proposal(for_vgpus).findings, IsEmpty()) << "without SR-IOV vGPUs lie on the GPU itself";
}

/// A T4 has SR-IOV too. Source: NVIDIA's vGPU user guide, "SR-IOV vGPUs": from Ampere on.
TEST(Functions, OfTuringBoardsAreNotWhatVgpusNeed) {
  Server server;
  server.host.files[pci_devices + left + "/device"] = "0x1eb8\n";
  server.host.files[pci_devices + left + "/subsystem_device"] = "0x12a2\n";
  EXPECT_THAT(server.proposal(for_vgpus).steps, IsEmpty());
}

TEST(Functions, NotSpokenOfAreNotManaged) {
  Server server;
  server.enable();
  EXPECT_THAT(server.proposal({}).findings, IsEmpty());
  EXPECT_THAT(server.proposal({}).steps, IsEmpty());
}

TEST(Functions, OfAGpuWithoutSriovAreRefused) {
  Server server;
  server.host.files.erase(pci_devices + left + "/sriov_totalvfs");
  EXPECT_THAT(blocks(server.proposal(on)), ElementsAre(HasSubstr("has no SR-IOV")));
  EXPECT_THAT(server.proposal(off).findings, IsEmpty());
  server.host.files[pci_devices + left + "/sriov_totalvfs"] = "0\n";
  EXPECT_THAT(blocks(server.proposal(on)), ElementsAre(HasSubstr("has no SR-IOV")));
}

TEST(Functions, ThatCannotBeCountedAreUnknown) {
  Server server;
  server.host.errors[pci_devices + left + "/sriov_totalvfs"] = {ErrorKind::denied, "denied"};
  const auto seen = server.proposal(on);
  EXPECT_THAT(seen.steps, IsEmpty());
  EXPECT_EQ(finding(seen, "gpu[left].functions").verdict, Finding::Verdict::unknown);
}

TEST(Functions, WithoutTheToolAreRefusedWithWhatBringsIt) {
  Server server;
  const auto entry = entry_of("left", left, {});
  Kinds kinds;
  kinds.push_back(make_gpus({entry}));
  kinds.push_back(make_functions({{entry, on}}));
  kinds.push_back(make_passthrough({entry}));
  const auto blocked_by = [&] {
    return plan_of(kinds, server.host, server.policy).steps.at(0).step.blocked_by;
  };
  server.host.files.erase(tool);
  EXPECT_THAT(blocked_by(), ElementsAre(HasSubstr("nvidia-vgpu-ubuntu-")));
  server.host.errors[tool] = {ErrorKind::denied, "no permission"};
  EXPECT_THAT(blocked_by(), ElementsAre(HasSubstr("no permission")));
}

TEST(Functions, WithoutAddressSpaceAreRefusedWithTheFirmwareSettings) {
  Server server;
  const std::string none = "0x0000000000000000 0x0000000000000000 0x0000000000000000\n";
  std::string resources;
  for (int i = 0; i < 7; ++i) resources += none;
  server.host.files[pci_devices + left + "/resource"] =
      resources + "0x0000000000000000 0x000000000003ffff 0x0000000000140204\n";
  EXPECT_THAT(blocks(server.proposal(on)), ElementsAre(HasSubstr("Above 4G decoding")));
}

TEST(Functions, AreEnabledOnlyWithDriversAndVgpuTypes) {
  for (const char* interface : {"mdev_supported_types", "nvidia"}) {
    Server server;
    server.interface = interface;
    server.enable();
    EXPECT_THAT(server.proposal(on).steps, IsEmpty()) << interface;
    server.host.directories.erase(pci_devices + addresses[1] + "/" + interface);
    server.host.files.erase(pci_devices + addresses[1] + "/nvidia/current_vgpu_type");
    server.host.loaded_modules.erase("nvidia_vgpu_vfio");
    const auto found = finding(server.proposal(on), "gpu[left].functions");
    EXPECT_EQ(found.observed, "incomplete") << "the other function shows that there is a vGPU manager";
  }
  Server server;
  server.types_at_once = false;
  server.enable();
  EXPECT_EQ(finding(server.proposal(on), "gpu[left].functions").reason,
            "virtual function 0000:41:00.4 has no vGPU types; 1 more");
  server.host.loaded_modules.erase("nvidia_vgpu_vfio");
  EXPECT_THAT(server.proposal(on).steps, IsEmpty()) << "no vGPU manager gives any";
}

TEST(Functions, PartlyUpAreMadeAnewOnlyWithoutVgpus) {
  Server server;
  server.broken = {addresses[1]};
  server.enable();
  const auto seen = server.proposal(on);
  ASSERT_EQ(seen.steps.size(), 1U);
  EXPECT_EQ(seen.steps[0].before, "incomplete");
  EXPECT_EQ(seen.steps[0].disruption, Disruption::remove_idle);
  EXPECT_THAT(seen.steps[0].needs, Contains(gpu_facts::without_vgpus(left_address)));
  EXPECT_EQ(finding(seen, "gpu[left].functions").reason,
            "virtual function 0000:41:00.5 is bound to nothing in place of nvidia");
  server.broken.clear();
  server.apply(on);
  EXPECT_THAT(server.host.commands, ElementsAre("/usr/lib/nvidia/sriov-manage -d 0000:41:00.0",
                                                "/usr/lib/nvidia/sriov-manage -e 0000:41:00.0"));
}

TEST(Functions, AreWaitedFor) {
  Server server;
  server.types_at_once = false;
  server.host.on_wait = [&] { server.give_types(); };
  EXPECT_TRUE(server.run_enable());
}

TEST(Functions, ThatDoNotComeUpAreNamedThoughTheToolEndsWell) {
  Server server;
  server.broken = {addresses[1]};
  auto ran = server.run_enable();
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().kind, ErrorKind::timed_out);
  EXPECT_THAT(ran.error().message, HasSubstr("0000:41:00.5 is bound to nothing"));
  server.broken.clear();
  server.types_at_once = false;
  ran = server.run_enable();
  ASSERT_FALSE(ran);
  EXPECT_THAT(ran.error().message, HasSubstr("0000:41:00.4 has no vGPU types"));
  EXPECT_THAT(ran.error().advice, HasSubstr("nvidia-vgpud"));
  server.types_at_once = true;
  EXPECT_TRUE(server.run_enable()) << "run again after it was cut off";
}

TEST(Functions, TheToolIsTriedAgainOnlyForTheLock) {
  const CommandResult locked{0, "Cannot obtain unbindLock for 0000:41:00.0\n"};
  Server server;
  server.failures = {locked, locked};
  EXPECT_TRUE(server.run_enable());
  EXPECT_EQ(server.host.commands.size(), 3U);

  Server always;
  always.failures.assign(9, locked);
  const auto busy = always.run_enable();
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().kind, ErrorKind::busy);
  EXPECT_EQ(always.host.commands.size(), 5U);

  Server broken;
  broken.failures = {{1, "first\nno such GPU\n"}};
  const auto failed = broken.run_enable();
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, HasSubstr("ended with 1: no such GPU"));
  EXPECT_EQ(broken.host.commands.size(), 1U);
}

TEST(Functions, ThatStayAfterTheyWereDisabledAreAnError) {
  Server server;
  server.enable();
  server.failures = {{0, ""}};
  auto port = server.host.host();
  const auto ran =
      server.kind(off)->run({"functions", "disable", "gpu[left].functions", {{"gpu", left}}}, port);
  ASSERT_FALSE(ran);
  EXPECT_THAT(ran.error().message, HasSubstr("still has virtual functions"));
}

TEST(Functions, StepsFromElsewhereAreCheckedBeforeTheyRun) {
  Server server;
  auto port = server.host.host();
  const auto kind = server.kind(on);
  for (const Json& arguments : {Json(), Json::object(), Json{{"gpu", 7}}, Json{{"gpu", "0000:99:00.0"}}}) {
    EXPECT_FALSE(kind->satisfied({"functions", "enable", "x", arguments}, port.view)) << arguments;
    EXPECT_FALSE(kind->run({"functions", "enable", "x", arguments}, port)) << arguments;
  }
  EXPECT_FALSE(kind->run({"functions", "burn", "x", {{"gpu", left}}}, port));
  EXPECT_THAT(server.host.commands, IsEmpty());
}

TEST(Functions, ComeAfterTheDriver) {
  Server server;
  const PciBus bus(server.host);
  server.host.links[pci_devices + left + "/driver"] = "../vfio-pci";
  const auto entry = entry_of("left", left, GpuMode::vgpu);
  Kinds kinds;
  kinds.push_back(make_kernel_modules({}));
  kinds.push_back(make_gpus({entry}));
  kinds.push_back(make_functions({{entry, for_vgpus}}));
  kinds.push_back(make_passthrough({entry}));
  const auto made = plan_of(kinds, server.host, server.policy);
  EXPECT_THAT(titles(made), ElementsAre("bind GPU left (0000:41:00.0) to nvidia",
                                        "enable the virtual functions of GPU left"));
  EXPECT_TRUE(made.applyable());
}

TEST(Functions, WithoutTheDriverAreBlocked) {
  Server server;
  server.host.links.erase(pci_devices + left + "/driver");
  const auto entry = entry_of("left", left, {});
  Kinds kinds;
  kinds.push_back(make_gpus({entry}));
  kinds.push_back(make_functions({{entry, on}}));
  kinds.push_back(make_passthrough({entry}));
  EXPECT_THAT(plan_of(kinds, server.host, server.policy).steps.at(0).step.blocked_by,
              ElementsAre(HasSubstr("set mode: vgpu")));
}

TEST(Functions, AreGivenBackAsTheyWere) {
  Server server;
  server.apply(on);
  EXPECT_EQ(server.proposal({}).steps.at(0).disruption, Disruption::remove_idle);
  server.apply({});
  EXPECT_EQ(server.host.commands.back(), "/usr/lib/nvidia/sriov-manage -d 0000:41:00.0");
  EXPECT_TRUE(server.owned.empty());

  server.enable();
  server.apply(off);
  server.apply({});
  EXPECT_EQ(server.host.commands.back(), "/usr/lib/nvidia/sriov-manage -e 0000:41:00.0");
  EXPECT_TRUE(server.owned.empty());
}

TEST(Functions, AreOnlyForgottenWhereTheyCannotBeGivenBack) {
  const auto left_as_they_are = [](const std::function<void(Server&)>& change, const char* why) {
    Server server;
    server.apply(on);
    change(server);
    const auto seen = server.proposal({});
    ASSERT_EQ(seen.notes.size(), 1U) << why;
    EXPECT_THAT(seen.notes[0].message, HasSubstr(why));
    const auto commands = server.host.commands.size();
    server.apply({});
    EXPECT_TRUE(server.owned.empty()) << why;
    EXPECT_EQ(server.host.commands.size(), commands) << why;
  };
  left_as_they_are([](Server& server) { server.host.files[pci_devices + left + "/device"] = "0x2235\n"; },
                   "not known of this GPU");
  left_as_they_are([](Server& server) { server.put_vgpu(); }, "vGPU that gpuhost did not make");
  left_as_they_are([](Server& server) { server.host.files.erase(tool); }, "sriov-manage");
  left_as_they_are([](Server& server) { server.host.links[pci_devices + left + "/driver"] = "../vfio-pci"; },
                   "driver does not have the GPU");
}

TEST(Functions, GivenBackNeedTheGpuIdle) {
  Server server;
  server.apply(on);
  server.host.device_holders = {{9, "qemu-system-x86", "/", {"/dev/vfio/20"}}};
  const auto seen = server.proposal({});
  ASSERT_EQ(seen.steps.size(), 1U);
  EXPECT_THAT(seen.steps[0].needs, Contains(gpu_facts::idle(left_address)));
}

TEST(Functions, GivenBackWithTheirVgpusWaitForThem) {
  Server server;
  server.apply(on);
  server.put_vgpu();
  server.owned.claim("doc", {"vgpu[11111111-2222-3333-4444-555555555555]", nullptr, "GRID A100-4C"});
  const auto seen = server.proposal({});
  ASSERT_EQ(seen.steps.size(), 1U);
  EXPECT_THAT(seen.steps[0].needs, Contains(gpu_facts::without_vgpus(left_address)));
}

TEST(Functions, StayOwnedWhileItCannotBeToldWhoUsesThem) {
  Server server;
  server.apply(on);
  server.host.processes_error = Error{ErrorKind::denied, "only root can tell"};
  EXPECT_THAT(server.proposal({}).steps, IsEmpty());
  ASSERT_EQ(server.proposal({}).notes.size(), 1U);
}

TEST(Functions, ThatARebootTookAreSimplyForgotten) {
  Server server;
  server.apply(on);
  server.disable();
  EXPECT_THAT(server.proposal({}).notes, IsEmpty());
  server.apply({});
  EXPECT_TRUE(server.owned.empty());
}

TEST(Functions, TellWhetherTheyAreThere) {
  Server server;
  const auto told = [&](const Fact& fact) {
    const auto kind = server.kind({});
    return kind->holds(fact, *kind->observe(server.host.view()))->value;
  };
  const auto enabled = gpu_facts::functions_enabled(left_address);
  const auto disabled = gpu_facts::functions_disabled(left_address);
  EXPECT_EQ(told(enabled), Truth::Value::no);
  EXPECT_EQ(told(disabled), Truth::Value::yes);
  server.enable();
  EXPECT_EQ(told(enabled), Truth::Value::yes);
  EXPECT_EQ(told(disabled), Truth::Value::no);
  server.host.links.erase(pci_devices + addresses[0] + "/driver");
  EXPECT_EQ(told(enabled), Truth::Value::no) << "incomplete is neither";
  EXPECT_EQ(told(disabled), Truth::Value::no);
  server.host.errors[pci_devices + left + "/sriov_totalvfs"] = {ErrorKind::denied, "denied"};
  EXPECT_EQ(told(enabled), Truth::Value::unknown);
  server.host.running = false;
  EXPECT_EQ(told(disabled), Truth::Value::unknown);
  const auto kind = server.kind({});
  EXPECT_FALSE(kind->holds(gpu_facts::idle(left_address), *kind->observe(server.host.view())));
  EXPECT_THAT(kind->advice(enabled), HasSubstr("functions: enabled"));
  EXPECT_EQ(kind->advice(gpu_facts::idle(left_address)), "");
}

TEST(Functions, DescribeWhatTheyLack) {
  Server server;
  server.broken = {addresses[1]};
  server.enable();
  const auto shown = server.kind({})->observe(server.host.view())->describe();
  EXPECT_EQ(shown[left]["state"], "incomplete");
  EXPECT_EQ(shown[left]["total"], 2);
  EXPECT_EQ(shown[left]["lacks"].size(), 1U);
}

}  // namespace
}  // namespace gpuhost::testing
