#include "kinds/vgpu/vgpu.hpp"

#include <gmock/gmock.h>

#include "kinds/gpu_facts.hpp"
#include "kinds/one_pass.hpp"
#include "support/ownership_text.hpp"
#include "support/vgpus.hpp"

namespace gpuhost::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

const PciAddress a100_address = *PciAddress::parse(a100);
const std::string stranger = "5b2a8d1c-7f4e-4f35-9b0a-2f6f0f0f0f01";
const std::string a100_8c = "nvidia-470";
const std::string a100_4c = "nvidia-468";

Policy allowing(Disruption level) {
  Policy policy;
  policy.disruption = level;
  return policy;
}

Proposal plan(const VgpuHost& host, std::vector<ForGpus<VgpuSpec>> entries, const Ownership& owned = {}) {
  return testing::plan(*make_vgpu(std::move(entries)), host.fake, owned, {});
}

/// A plan beside kinds that say that the A100 is ready for vGPUs and that nobody holds one.
Plan whole_plan(const VgpuHost& host, std::vector<ForGpus<VgpuSpec>> entries, const Ownership& owned = {}) {
  std::set<Fact> facts{gpu_facts::bound(a100_address, "nvidia"), gpu_facts::functions_enabled(a100_address),
                       gpu_facts::settled(a100_address), gpu_facts::fit_for_vgpus(a100_address)};
  for (const auto& uuid : host.vgpus()) facts.insert(gpu_facts::idle(*Uuid::parse(uuid)));
  Kinds kinds;
  kinds.push_back(make_vgpu(std::move(entries)));
  kinds.push_back(std::make_unique<Answers>(std::move(facts)));
  return plan_of(kinds, host.fake, allowing(Disruption::remove_idle), owned);
}

TEST(Vgpu, IsMadeOnceAndThenInSync) {
  VgpuHost host;
  host.add_a100();
  Ownership owned;
  const auto kind = make_vgpu({listing("left", a100, {some("train", "GRID A100-8C", 2)})});
  run_all(*kind, testing::plan(*kind, host.fake, owned, {}), host.fake, owned);
  EXPECT_EQ(host.vgpu(uuid_of("left/train/0")), "0000:41:00.4 GRID A100-8C");
  EXPECT_EQ(host.vgpu(uuid_of("left/train/1")), "0000:41:00.5 GRID A100-8C");
  const auto again = testing::plan(*kind, host.fake, owned, {});
  EXPECT_THAT(again.steps, IsEmpty());
  EXPECT_THAT(again.notes, IsEmpty());
  ASSERT_EQ(again.findings.size(), 2U);
  EXPECT_EQ(finding(again, "gpu[left].vgpu[train/1]").verdict, Finding::Verdict::in_sync);
  EXPECT_EQ(again.findings[0].object, "vgpu[" + uuid_of("left/train/0") + "]");
}

TEST(Vgpu, StepSaysWhatItNeedsAndChanges) {
  VgpuHost host;
  host.add_a100();
  const auto proposal = plan(host, {listing("left", a100, {some("train", "A100-8C")})});
  ASSERT_EQ(proposal.steps.size(), 1U);
  const auto& step = proposal.steps[0];
  EXPECT_EQ(step.action.address, "gpu[left].vgpu[train/0]");
  EXPECT_EQ(step.title, "create vGPU train/0 (A100-8C) on left");
  EXPECT_THAT(
      step.needs,
      ElementsAre(gpu_facts::bound(a100_address, "nvidia"), gpu_facts::settled(a100_address),
                  gpu_facts::fit_for_vgpus(a100_address), gpu_facts::functions_enabled(a100_address)));
  EXPECT_THAT(step.provides, ElementsAre(gpu_facts::present(*Uuid::parse(uuid_of("left/train/0")))));
  EXPECT_EQ(step.disruption, Disruption::none);
  EXPECT_THAT(step.affects, ElementsAre(Affected{.type = "gpu", .name = a100}));
  EXPECT_THAT(step.lanes, ElementsAre("gpu/0000:41:00.0"));
  EXPECT_FALSE(step.provisional);
  EXPECT_EQ(step.after["parent"], "0000:41:00.4");
}

TEST(Vgpu, OnAGpuWithoutVirtualFunctionsIsMadeOnTheGpuItself) {
  VgpuHost host;
  host.add_m60();
  Ownership owned;
  const auto kind = make_vgpu({listing("desk", m60_first, {some("cad", "M60-2Q", 3)}),
                               listing("low", m60_second, {some("office", "M60-1Q", 8)})});
  run_all(*kind, testing::plan(*kind, host.fake, owned, {}), host.fake, owned);
  EXPECT_EQ(host.vgpus().size(), 11U);
  EXPECT_EQ(host.vgpu(uuid_of("desk/cad/2")), "0000:06:00.0 GRID M60-2Q");
  EXPECT_EQ(host.vgpu(uuid_of("low/office/7")), "0000:07:00.0 GRID M60-1Q");
  EXPECT_THAT(testing::plan(*kind, host.fake, owned, {}).steps, IsEmpty());
}

TEST(Vgpu, OfAnotherTypeIsRemovedAndMadeAnew) {
  VgpuHost host;
  host.add_a100();
  Ownership owned;
  auto kind = make_vgpu({listing("left", a100, {some("train", "A100-8C")})});
  run_all(*kind, testing::plan(*kind, host.fake, owned, {}), host.fake, owned);
  const std::vector entries{listing("left", a100, {some("train", "A100-4C", 2)})};
  EXPECT_THAT(titles(whole_plan(host, entries, owned)),
              ElementsAre("remove vGPU train/0 (A100-8C) from left", "create vGPU train/0 (A100-4C) on left",
                          "create vGPU train/1 (A100-4C) on left"));
  EXPECT_TRUE(whole_plan(host, entries, owned).applyable());
  kind = make_vgpu(entries);
  const auto proposal = testing::plan(*kind, host.fake, owned, {});
  EXPECT_FALSE(proposal.steps[0].foreign);
  run_all(*kind, proposal, host.fake, owned);
  EXPECT_EQ(host.vgpu(uuid_of("left/train/0")), "0000:41:00.4 GRID A100-4C");
  EXPECT_EQ(owned.find("doc", "vgpu[" + uuid_of("left/train/0") + "]")->applied["type"], "A100-4C");
}

TEST(Vgpu, OnAnotherGpuMovesToTheOneThatItIsListedOn) {
  VgpuHost host;
  host.add_m60();
  host.add_vgpu(uuid_of("desk/cad/0"), m60_second, "nvidia-18");
  const auto proposal = plan(host, {listing("desk", m60_first, {some("cad", "M60-2Q")}),
                                    listing("low", m60_second, {some("office", "M60-1Q")})});
  EXPECT_THAT(titles(proposal), UnorderedElementsAre("remove vGPU cad/0 (M60-2Q) from desk",
                                                     "create vGPU cad/0 (M60-2Q) on desk",
                                                     "create vGPU office/0 (M60-1Q) on low"));
  // The other GPU has room, and another size, only after it has gone.
  EXPECT_THAT(step_titled(proposal, "create vGPU office/0 (M60-1Q) on low")->needs,
              Contains(Fact{"vgpu/" + uuid_of("desk/cad/0"), "absent"}));
}

TEST(Vgpu, RemovedBeforeOthersAreMade) {
  VgpuHost host;
  host.add_a100();
  host.add_vgpu(stranger, a100_functions[0], a100_4c);
  const auto seen = whole_plan(host, {listing("left", a100, {some("train", "A100-8C")})});
  EXPECT_THAT(titles(seen), ElementsAre("remove vGPU " + stranger + " (A100-4C) from left",
                                        "create vGPU train/0 (A100-8C) on left"));
  EXPECT_TRUE(seen.applyable());
  EXPECT_EQ(seen.steps[1].step.after["parent"], "0000:41:00.4");
  EXPECT_THAT(seen.steps[1].after, ElementsAre(0U));
}

TEST(Vgpu, WithoutFunctionsYetIsProvisional) {
  VgpuHost host;
  host.add_a100(false);
  const std::vector entries{listing("left", a100, {some("train", "A100-8C", 2)})};
  const auto proposal = plan(host, entries);
  ASSERT_EQ(proposal.steps.size(), 2U);
  for (const auto& step : proposal.steps) {
    EXPECT_TRUE(step.provisional);
    EXPECT_EQ(step.after_unknown, Json::array({"parent"}));
    EXPECT_FALSE(step.action.arguments.contains("parent"));
    EXPECT_THAT(step.blocked_by, IsEmpty());
    EXPECT_THAT(step.needs, Contains(gpu_facts::functions_enabled(a100_address)));
  }
  EXPECT_EQ(proposal.steps[1].claims->applied["function"], 1);
}

TEST(Vgpu, OnAGpuOfAnotherDriverIsProvisional) {
  VgpuHost host;
  host.add_gpu(m60_first, "0x13f2", "0x030000", "vfio-pci");
  const auto proposal = plan(host, {listing("desk", m60_first, {some("cad", "M60-2Q")})});
  ASSERT_EQ(proposal.steps.size(), 1U);
  EXPECT_TRUE(proposal.steps[0].provisional);
  EXPECT_THAT(proposal.steps[0].blocked_by, IsEmpty());
  EXPECT_THAT(proposal.steps[0].needs, ElementsAre(gpu_facts::bound(*PciAddress::parse(m60_first), "nvidia"),
                                                   gpu_facts::settled(*PciAddress::parse(m60_first)),
                                                   gpu_facts::fit_for_vgpus(*PciAddress::parse(m60_first))));
}

TEST(Vgpu, ParametersAreSetWhenItIsMadeAndChangedWhileNobodyHasIt) {
  VgpuHost host;
  host.add_a100();
  Ownership owned;
  auto vgpus = some("train", "A100-8C");
  vgpus.params = {{"enable_uvm", "1"}, {"enable_profiling", "1"}};
  auto kind = make_vgpu({listing("left", a100, {vgpus})});
  run_all(*kind, testing::plan(*kind, host.fake, owned, {}), host.fake, owned);
  const auto uuid = uuid_of("left/train/0");
  EXPECT_EQ(host.params(uuid), "enable_profiling=1, enable_uvm=1\n");
  host.fake.files[mdev_devices + uuid + "/nvidia/vgpu_params"] += ", disable_vnc=1";

  vgpus.params = {{"enable_uvm", "0"}};
  kind = make_vgpu({listing("left", a100, {vgpus})});
  host.fake.files[Ownership::path] = testing::text_of(owned);
  const auto proposal = testing::plan(*kind, host.fake, owned, {});
  EXPECT_THAT(titles(proposal), ElementsAre("set the parameters of vGPU train/0 on left"));
  EXPECT_THAT(proposal.steps[0].needs, ElementsAre(gpu_facts::idle(*Uuid::parse(uuid))));
  EXPECT_EQ(finding(proposal, "gpu[left].vgpu[train/0]").verdict, Finding::Verdict::differs);
  run_all(*kind, proposal, host.fake, owned);
  // What somebody else set stays, what the document dropped goes.
  EXPECT_EQ(host.params(uuid), "disable_vnc=1, enable_uvm=0\n");

  host.fake.files[mdev_devices + uuid + "/nvidia/vgpu_params"] = "enable_uvm=0\n";
  host.fake.files[Ownership::path] = testing::text_of(owned);
  kind = make_vgpu({listing("left", a100, {some("train", "A100-8C")})});
  run_all(*kind, testing::plan(*kind, host.fake, owned, {}), host.fake, owned);
  EXPECT_EQ(host.log.back(), "params ' '");
  EXPECT_EQ(host.params(uuid), "\n");
  EXPECT_THAT(testing::plan(*kind, host.fake, owned, {}).steps, IsEmpty());
}

TEST(Vgpu, ThatCannotBeReadIsUnknownAndNeverChanged) {
  VgpuHost host;
  host.add_a100();
  auto vgpus = some("train", "A100-8C");
  vgpus.params = {{"enable_uvm", "1"}};
  host.add_vgpu(uuid_of("left/train/0"), a100_functions[0], a100_8c);
  host.fake.errors[mdev_devices + uuid_of("left/train/0") + "/nvidia/vgpu_params"] =
      Error{ErrorKind::denied, "cannot read the parameters"};
  auto proposal = plan(host, {listing("left", a100, {vgpus})});
  EXPECT_THAT(proposal.steps, IsEmpty());
  EXPECT_EQ(proposal.findings.at(0).verdict, Finding::Verdict::unknown);
  EXPECT_TRUE(proposal.findings.at(0).permission);

  host.fake.files.erase(mdev_devices + uuid_of("left/train/0") + "/mdev_type/name");
  proposal = plan(host, {listing("left", a100, {some("train", "A100-8C")})});
  EXPECT_THAT(proposal.steps, IsEmpty());
  EXPECT_EQ(proposal.findings.at(0).verdict, Finding::Verdict::unknown);
  EXPECT_THAT(proposal.findings.at(0).reason, HasSubstr("type"));

  host.reboot();
  host.fake.errors[pci_devices + a100_functions[0] + "/mdev_supported_types"] =
      Error{ErrorKind::io, "cannot list the types"};
  proposal = plan(host, {listing("left", a100, {some("train", "A100-8C")})});
  EXPECT_THAT(proposal.steps, IsEmpty());
  EXPECT_EQ(proposal.findings.at(0).reason, "cannot list the types");
}

TEST(Vgpu, WithoutMachineIdHasNoIdentity) {
  VgpuHost host;
  host.add_a100();
  host.add_vgpu(stranger, a100_functions[0], a100_4c);
  host.fake.files["/etc/machine-id"] = "uninitialized\n";
  const auto proposal = plan(host, {listing("left", a100, {some("train", "A100-8C")})});
  EXPECT_THAT(proposal.steps, IsEmpty());
  ASSERT_EQ(proposal.findings.size(), 1U);
  EXPECT_EQ(proposal.findings[0].verdict, Finding::Verdict::unknown);
  EXPECT_THAT(proposal.findings[0].reason, HasSubstr("machine-id"));
}

TEST(Vgpu, ModesThatCanHaveNoneSayNothingWhereThereIsNone) {
  VgpuHost host;
  host.add_a100();
  ForGpus<VgpuSpec> passthrough{entry_of("left", a100, GpuMode::passthrough), {}};
  auto proposal = plan(host, {passthrough});
  EXPECT_THAT(proposal.findings, IsEmpty());
  EXPECT_THAT(proposal.steps, IsEmpty());
  host.add_vgpu(stranger, a100_functions[0], a100_4c);
  proposal = plan(host, {passthrough});
  EXPECT_THAT(titles(proposal), ElementsAre("remove vGPU " + stranger + " (A100-4C) from left"));
  EXPECT_THAT(proposal.steps[0].provides, Contains(gpu_facts::without_vgpus(a100_address)));
  EXPECT_EQ(finding(proposal, "gpu[left].vgpus").desired, Json::array());
}

TEST(Vgpu, WithoutAListIsLeftToOthers) {
  VgpuHost host;
  host.add_a100();
  host.add_vgpu(stranger, a100_functions[0], a100_4c);
  const auto proposal = plan(host, {{entry_of("left", a100, GpuMode::vgpu), {}}});
  EXPECT_THAT(proposal.steps, IsEmpty());
  EXPECT_THAT(proposal.findings, IsEmpty());
  ASSERT_EQ(proposal.unmanaged.size(), 1U);
  EXPECT_EQ(proposal.unmanaged[0].address, "gpu[left].vgpus");
}

TEST(Vgpu, KeepsItsVirtualFunctionWhateverElseTheListSays) {
  VgpuHost host;
  host.add_a100();
  Ownership owned;
  auto kind = make_vgpu({listing("left", a100, {some("a", "A100-8C"), some("b", "A100-8C", 2)})});
  run_all(*kind, testing::plan(*kind, host.fake, owned, {}), host.fake, owned);
  host.reboot();
  kind = make_vgpu({listing("left", a100, {some("b", "A100-8C", 2), some("new", "A100-8C")})});
  run_all(*kind, testing::plan(*kind, host.fake, owned, {}), host.fake, owned);
  EXPECT_EQ(host.vgpu(uuid_of("left/b/0")), "0000:41:00.5 GRID A100-8C");
  EXPECT_EQ(host.vgpu(uuid_of("left/b/1")), "0000:41:00.6 GRID A100-8C");
  EXPECT_EQ(host.vgpu(uuid_of("left/new/0")), "0000:41:00.4 GRID A100-8C");
}

TEST(Vgpu, IsPutOnTheFunctionThatTheDocumentNames) {
  VgpuHost host;
  host.add_a100();
  auto vgpus = some("train", "A100-8C", 2);
  vgpus.vfs = {3, 0};
  const auto proposal = plan(host, {listing("left", a100, {some("first", "A100-8C"), vgpus})});
  EXPECT_EQ(step_titled(proposal, "create vGPU first/0 (A100-8C) on left")->after["parent"], "0000:41:00.5");
  EXPECT_EQ(step_titled(proposal, "create vGPU train/0 (A100-8C) on left")->after["parent"], "0000:41:00.7");
  EXPECT_EQ(step_titled(proposal, "create vGPU train/1 (A100-8C) on left")->after["parent"], "0000:41:00.4");
}

TEST(Vgpu, OnAnotherFunctionThanTheDocumentNamesIsMadeAnew) {
  VgpuHost host;
  host.add_a100();
  host.add_vgpu(uuid_of("left/train/0"), a100_functions[1], a100_8c);
  auto vgpus = some("train", "A100-8C");
  vgpus.vfs = {1};
  EXPECT_THAT(plan(host, {listing("left", a100, {vgpus})}).steps, IsEmpty());
  vgpus.vfs = {2};
  const auto proposal = plan(host, {listing("left", a100, {vgpus})});
  EXPECT_THAT(titles(proposal), ElementsAre("remove vGPU train/0 (A100-8C) from left",
                                            "create vGPU train/0 (A100-8C) on left"));
  EXPECT_EQ(proposal.steps[1].after["parent"], "0000:41:00.6");
}

TEST(Vgpu, HasTheUuidThatTheDocumentGives) {
  VgpuHost host;
  host.add_a100();
  host.add_vgpu(stranger, a100_functions[2], a100_8c);
  auto vgpus = some("train", "A100-8C");
  vgpus.uuids = {{*Uuid::parse(stranger), Mark{}}};
  const auto proposal = plan(host, {listing("left", a100, {vgpus})});
  EXPECT_THAT(proposal.steps, IsEmpty());
  EXPECT_EQ(finding(proposal, "gpu[left].vgpu[train/0]").verdict, Finding::Verdict::in_sync);
}

TEST(Vgpu, OneUuidForTwoIsAnError) {
  VgpuHost host;
  host.add_m60();
  auto vgpus = some("cad", "M60-2Q");
  vgpus.uuids = {{*Uuid::parse(stranger), Mark{}}};
  const auto proposal =
      plan(host, {listing("desk", m60_first, {vgpus}), listing("low", m60_second, {vgpus})});
  ASSERT_EQ(proposal.notes.size(), 1U);
  EXPECT_EQ(proposal.notes[0].severity, Note::Severity::error);
  EXPECT_THAT(proposal.notes[0].message, HasSubstr(stranger));
}

TEST(Vgpu, ThatSomebodyElseStartsAtBootIsAWarning) {
  VgpuHost host;
  host.add_a100();
  const auto define = [&](const std::string& parent, const char* start) {
    host.fake.files["/etc/mdevctl.d/" + parent + "/" + stranger] =
        fmt::format(R"({{"mdev_type": "nvidia-470", "start": "{}", "attrs": []}})", start);
  };
  define(a100_functions[0], "manual");
  define("0000:99:00.0", "auto");
  host.fake.files["/etc/mdevctl.d/" + a100_functions[1] + "/spoilt"] = "{";
  const std::vector entries{listing("left", a100, {})};
  EXPECT_THAT(plan(host, entries).notes, IsEmpty());
  define(a100_functions[0], "auto");
  const auto notes = plan(host, entries).notes;
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_EQ(notes[0].severity, Note::Severity::warning);
  EXPECT_EQ(notes[0].address, "gpu[left].vgpus");
  EXPECT_THAT(notes[0].message, HasSubstr("/etc/mdevctl.d/0000:41:00.4/" + stranger));
  EXPECT_THAT(notes[0].advice, HasSubstr("--manual"));
}

TEST(Vgpu, FactsAreWhatIsThere) {
  VgpuHost host;
  host.add_a100();
  host.add_vgpu(stranger, a100_functions[0], a100_4c);
  const auto kind = make_vgpu({});
  const auto seen = kind->observe(host.fake.view());
  const auto truth = [&](const Fact& fact) { return kind->holds(fact, *seen)->value; };
  EXPECT_EQ(truth(gpu_facts::present(*Uuid::parse(stranger))), Truth::Value::yes);
  EXPECT_EQ(truth(gpu_facts::present(*Uuid::parse(uuid_of("left/train/0")))), Truth::Value::no);
  EXPECT_EQ(truth(gpu_facts::without_vgpus(a100_address)), Truth::Value::no);
  EXPECT_EQ(kind->holds(gpu_facts::idle(a100_address), *seen), std::nullopt);
  EXPECT_EQ(kind->holds({"module/nvidia", "loaded"}, *seen), std::nullopt);
  host.reboot();
  EXPECT_EQ(kind->holds(gpu_facts::without_vgpus(a100_address), *kind->observe(host.fake.view()))->value,
            Truth::Value::yes);
}

TEST(Vgpu, OfTheVendorSpecificFrameworkCountsAsThere) {
  VgpuHost host;
  host.add_a100();
  for (const auto& function : a100_functions) {
    host.withdraw_types(function);
    host.fake.files[pci_devices + function + "/nvidia/current_vgpu_type"] = "0\n";
  }
  const auto kind = make_vgpu({{entry_of("left", a100, GpuMode::vgpu), {}}});
  const auto fact = gpu_facts::without_vgpus(a100_address);
  EXPECT_EQ(kind->holds(fact, *kind->observe(host.fake.view()))->value, Truth::Value::yes);
  host.fake.files[pci_devices + a100_functions[2] + "/nvidia/current_vgpu_type"] = "1145\n";
  const auto seen = kind->observe(host.fake.view());
  EXPECT_EQ(kind->holds(fact, *seen)->value, Truth::Value::no);
}

TEST(Vgpu, IsDescribedWithItsHoldersAndTheTypesThatThereAre) {
  VgpuHost host;
  host.add_m60();
  host.add_vgpu(stranger, m60_first, "nvidia-18");
  host.add_guest("cad-01", stranger);
  const auto shown = make_vgpu({})->observe(host.fake.view())->describe();
  const auto& gpu = shown[m60_first];
  EXPECT_EQ(gpu["framework"], "mediated devices");
  EXPECT_EQ(gpu["vgpus"][stranger]["type"], "GRID M60-2Q");
  EXPECT_EQ(gpu["vgpus"][stranger]["holders"], Json::array({"VM cad-01"}));
  EXPECT_EQ(gpu["vgpus"][stranger]["defined_in"], Json::array({"cad-01"}));
  EXPECT_EQ(gpu["types"]["GRID M60-1Q"]["framebuffer_mb"], 1024);
  EXPECT_EQ(gpu["types"]["GRID M60-1Q"]["available"], 8);
}

/// Counts how often each file of another reader is read.
class CountingFiles final : public FileReader {
 public:
  explicit CountingFiles(const FileReader& files) : files_(files) {}
  mutable std::map<std::string, unsigned> reads;

  Result<std::string> read(const std::string& path) const override {
    ++reads[path];
    return files_.read(path);
  }
  Result<std::vector<std::string>> list(const std::string& path) const override { return files_.list(path); }
  Result<std::string> link_target(const std::string& path) const override { return files_.link_target(path); }
  Result<FileStatus> status(const std::string& path) const override { return files_.status(path); }
  Result<std::string> digest(const std::string& path) const override { return files_.digest(path); }

 private:
  const FileReader& files_;
};

TEST(Vgpu, LooksAtEachFileOnce) {
  VgpuHost host;
  host.add_a100();
  auto vgpus = some("train", "A100-8C", 3);
  vgpus.params = {{"enable_uvm", "1"}};
  host.add_vgpu(uuid_of("left/train/0"), a100_functions[0], a100_8c);
  const CountingFiles files(host.fake);
  const HostView view{files, host.fake, host.fake, host.fake, host.fake, host.fake.no_gpus, host.fake, true};
  Kinds kinds;
  kinds.push_back(make_vgpu({listing("left", a100, {vgpus})}));
  EXPECT_EQ(observe_all(kinds, view).size(), 1U);
  EXPECT_EQ(files.reads.count("/sys/bus/mdev/devices/" + uuid_of("left/train/0") + "/nvidia/vgpu_params"),
            1U);
  for (const auto& [path, count] : files.reads) {
    if (!path.contains("mdev") && !path.starts_with("/etc/")) continue;  // of the inventory
    EXPECT_EQ(count, 1U) << path;
    // Of types that nobody asks for only the name is read.
    EXPECT_FALSE(path.contains("nvidia-468/") && !path.ends_with("/name")) << path;
  }
}

TEST(Vgpu, UnderADirectoryOrWithoutPciIsNobodysBusiness) {
  FakeHost none;
  EXPECT_THAT(testing::plan(*make_vgpu({listing("left", a100, {})}), none, {}, {}).steps, IsEmpty());
  EXPECT_EQ(make_vgpu({})->observe(none.view())->describe(), Json::object());
  VgpuHost host;
  host.add_a100();
  host.fake.running = false;
  const auto kind = make_vgpu({listing("left", a100, {some("train", "A100-8C")})});
  EXPECT_THAT(testing::plan(*kind, host.fake, {}, {}).findings, IsEmpty());
  EXPECT_EQ(kind->holds(gpu_facts::without_vgpus(a100_address), *kind->observe(host.fake.view()))->value,
            Truth::Value::unknown);
}

}  // namespace
}  // namespace gpuhost::testing
