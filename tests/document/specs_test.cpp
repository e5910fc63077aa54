#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kinds/document_specs.hpp"
#include "support/source_folder.hpp"

namespace gpuhost {
namespace {

using namespace std::chrono_literals;

const std::string head = "apiVersion: gpuhost/v1\nkind: HostState\n";

struct Decoded {
  Diagnostics diagnostics;
  std::optional<DocumentSpecs> specs;

  explicit Decoded(std::vector<std::string> texts) {
    for (std::size_t i = 0; i < texts.size(); ++i)
      diagnostics.add_source({std::string(1, static_cast<char>('a' + i)) + ".yaml", head + texts[i]});
    specs = decode_specs(diagnostics);
  }
  [[nodiscard]] std::vector<std::string> problems() const {
    std::vector<std::string> ids;
    for (const auto& problem : diagnostics.sorted()) ids.emplace_back(problem.message->id);
    return ids;
  }
};

/// The body of a document that is named already.
Decoded decode(const std::string& body) {
  return Decoded({"metadata: {name: t}\n" + body});
}

using Ids = std::vector<std::string>;

std::string read_fixture(const std::string& name) {
  const auto path = testing::source_folder() / "tests/cases/documents" / name;
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Document, DecodesEveryPart) {
  Diagnostics diagnostics;
  diagnostics.add_source({"full.yaml", read_fixture("full.yaml")});
  const auto specs = decode_specs(diagnostics);
  ASSERT_TRUE(specs) << diagnostics.render();
  EXPECT_EQ(specs->name, "kvm-gpu-07");
  EXPECT_EQ(specs->hosts, std::vector<std::string>{"kvm-gpu-07*"});
  EXPECT_EQ(specs->policy.disruption, Disruption::stop_guests);
  EXPECT_EQ(specs->policy.guest_stop_timeout, 180s);
  EXPECT_EQ(specs->policy.protected_vms, std::set<std::string>{"billing-db"});
  EXPECT_EQ(specs->policy.protected_gpus, std::set<PciAddress>{*PciAddress::parse("0000:03:00.0")});
  EXPECT_TRUE(specs->virtualization.required);

  ASSERT_EQ(specs->kernel_parameters.size(), 5U);  // by key
  EXPECT_EQ(specs->kernel_parameters[0].values, (std::vector<std::string>{"tty0", "ttyS0,115200"}));
  EXPECT_EQ(specs->kernel_parameters[1].values, std::vector<std::string>{"on"});
  EXPECT_EQ(specs->kernel_parameters[3].key, "nosmt");
  EXPECT_TRUE(specs->kernel_parameters[3].present && specs->kernel_parameters[3].values.empty());
  EXPECT_FALSE(specs->kernel_parameters[4].present);

  ASSERT_EQ(specs->kernel_modules.size(), 2U);
  EXPECT_EQ(specs->kernel_modules[0].state, KernelModuleSpec::State::blocked);
  EXPECT_EQ(specs->kernel_modules[1].options, (std::map<std::string, std::string>{{"disable_idle_d3", "1"}}));
  ASSERT_EQ(specs->units.size(), 1U);
  EXPECT_EQ(specs->units[0].enabled, true);
  EXPECT_EQ(specs->units[0].active, true);

  ASSERT_TRUE(specs->driver);
  EXPECT_EQ(specs->driver->value.version->value, "580.159.01");
  EXPECT_EQ(specs->driver->value.release->value, "19.5");
  EXPECT_EQ(specs->driver->value.source->form, PackageSource::Form::runfile);
}

TEST(Document, DecodesGpusAndMachines) {
  Diagnostics diagnostics;
  diagnostics.add_source({"full.yaml", read_fixture("full.yaml")});
  const auto specs = decode_specs(diagnostics);
  ASSERT_TRUE(specs) << diagnostics.render();
  ASSERT_EQ(specs->gpus.size(), 5U);
  const auto& left = specs->gpus[0];
  EXPECT_EQ(left.entry.mode->value, GpuMode::vgpu);
  EXPECT_EQ(left.mig->value.instances[1].placement, (std::vector<unsigned>{0, 2}));
  EXPECT_EQ(left.vgpu.vgpus->value[0].instance->value, "big");
  EXPECT_EQ(left.vgpu.vgpus->value[1].count, 2U);
  EXPECT_EQ(specs->gpus[2].vgpu.scheduler->value.timeslice, 2U);
  EXPECT_EQ(specs->gpus[3].mig->value.instances.size(), 3U);  // from the layout
  EXPECT_EQ(specs->gpus[3].entry.label(), "10de:2331");
  EXPECT_EQ(specs->gpus[4].vgpu.vgpus->value[0].count, 2U);  // as many as there are uuids
  ASSERT_EQ(specs->vms.size(), 1U);
  EXPECT_EQ(specs->vms[0].vm.devices->value[0].name.value, "left/train/0");
  EXPECT_EQ(specs->vms[0].license->value.token_file, "/etc/nvidia/train-01.tok");
}

TEST(Document, MustBeAMapping) {
  Diagnostics diagnostics;
  diagnostics.add_source({"list.yaml", "- one\n"});
  EXPECT_FALSE(decode_specs(diagnostics));
  EXPECT_EQ(diagnostics.sorted().at(0).message->id, "wrong-type");
}

TEST(Document, NeedsAFile) {
  Diagnostics diagnostics;
  EXPECT_FALSE(decode_specs(diagnostics));
}

TEST(Document, ReportsTheProblemsOfAllFiles) {
  const Decoded decoded({"metadata: {name: t}\npolcy: {}\n", "units: 7\n", "a: [\n"});
  EXPECT_EQ(decoded.problems(), (Ids{"unknown-key", "wrong-type", "yaml-syntax"}));
}

TEST(Merge, JoinsMapsListsAndEntriesOfOneName) {
  const Decoded decoded(
      {"metadata: {name: t, hosts: [one]}\n"
       "policy: {disruption: reboot, protect: {vms: [a]}}\n"
       "gpus: [{name: left, match: {address: \"0000:41:00.0\"}, vgpus: [{name: x, type: A40-1Q}]}]\n",
       "metadata: {hosts: [two]}\n"
       "policy: {disruption: stop-units, protect: {vms: [b]}}\n"
       "gpus: [{name: left, ecc: true, vgpus: [{name: x, count: 2}, {name: y, type: A40-2Q}]}]\n"});
  ASSERT_TRUE(decoded.specs) << decoded.diagnostics.render();
  EXPECT_EQ(decoded.specs->hosts, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(decoded.specs->policy.disruption, Disruption::stop_units);
  EXPECT_EQ(decoded.specs->policy.protected_vms, (std::set<std::string>{"a", "b"}));
  ASSERT_EQ(decoded.specs->gpus.size(), 1U);
  EXPECT_TRUE(decoded.specs->gpus[0].ecc);
  ASSERT_EQ(decoded.specs->gpus[0].vgpu.vgpus->value.size(), 2U);
  EXPECT_EQ(decoded.specs->gpus[0].vgpu.vgpus->value[0].count, 2U);
}

TEST(Merge, TakesTheLowestDisruptionWhicheverFileComesFirst) {
  for (const auto& [first, second] : {std::pair("none", "reboot"), std::pair("reboot", "none")}) {
    const Decoded decoded(
        {std::string("metadata: {name: t}\npolicy: {disruption: ") + first + "}\n",
         std::string("metadata: {overrides: true}\npolicy: {disruption: ") + second + "}\n"});
    ASSERT_TRUE(decoded.specs);
    EXPECT_EQ(decoded.specs->policy.disruption, Disruption::none);
  }
}

TEST(Merge, AcceptsTheSameValueTwice) {
  EXPECT_TRUE(
      Decoded({"metadata: {name: t}\nvirtualization: required\n", "virtualization: required\n"}).specs);
}

TEST(Merge, RefusesTwoValuesUnlessTheLaterFileOverrides) {
  const std::string first = "metadata: {name: t}\nkernel: {parameters: {iommu: pt}}\n";
  EXPECT_EQ(Decoded({first, "kernel: {parameters: {iommu: \"on\"}}\n"}).problems(),
            Ids{"conflicting-values"});
  EXPECT_EQ(Decoded({"metadata: {name: t, overrides: true}\nvirtualization: required\n",
                     "virtualization: ignored\n"})
                .problems(),
            Ids{"conflicting-values"});

  const Decoded overriding({first, "metadata: {overrides: true}\nkernel: {parameters: {iommu: \"on\"}}\n"});
  ASSERT_TRUE(overriding.specs) << overriding.diagnostics.render();
  EXPECT_EQ(overriding.specs->kernel_parameters.at(0).values, std::vector<std::string>{"on"});
  ASSERT_EQ(overriding.specs->overridden.size(), 1U);
  EXPECT_EQ(overriding.specs->overridden[0],
            "kernel.parameters.iommu: 'pt' (a.yaml:4:30) → 'on' (b.yaml:4:30)");
}

TEST(Merge, NeverOverridesTheName) {
  EXPECT_EQ(Decoded({"metadata: {name: t}\n", "metadata: {name: u, overrides: true}\n"}).problems(),
            Ids{"conflicting-values"});
}

TEST(Merge, KeepsTwoEntriesOfOneNameInOneFileApart) {
  EXPECT_EQ(decode("vms: [{name: a}, {name: a}]\n").problems(), Ids{"duplicate-name"});
}

std::string digest(const std::vector<std::string>& texts) {
  const Decoded decoded(texts);
  EXPECT_TRUE(decoded.specs) << decoded.diagnostics.render();
  return decoded.specs ? decoded.specs->sha256 : "";
}

TEST(Digest, IsOfTheContentAlone) {
  const auto written =
      digest({"metadata: {name: t, hosts: [a, b]}\n"
              "units: {a.service: {enabled: true}, b.service: {enabled: false}}\n"
              "gpus: [{name: x, match: {slot: \"1\"}}, {match: {slot: \"2\"}}]\n"});
  EXPECT_EQ(written.size(), 64U);
  EXPECT_EQ(digest({"# the same, in another order\n"
                    "gpus:\n- match: {slot: '2'}\n- match: {slot: '1'}\n  name: x\n"
                    "units: {b.service: {enabled: false}, a.service: {enabled: true}}\n"
                    "metadata: {hosts: [b, a], name: t}\n"}),
            written);
  EXPECT_EQ(
      digest(
          {"metadata: {name: t, hosts: [a]}\nunits: {a.service: {enabled: true}}\ngpus: [{name: x, match: "
           "{slot: \"1\"}}]\n",
           "metadata: {name: t, hosts: [b], overrides: false}\nunits: {b.service: {enabled: false}}\ngpus: "
           "[{match: {slot: \"2\"}}]\n"}),
      written);
}

TEST(Digest, ChangesWithTheContent) {
  const auto one = digest({"metadata: {name: t}\nkernel: {parameters: {console: {values: [a, b]}}}\n"});
  EXPECT_NE(one, digest({"metadata: {name: t}\nkernel: {parameters: {console: {values: [b, a]}}}\n"}));
  EXPECT_NE(one, digest({"metadata: {name: u}\nkernel: {parameters: {console: {values: [a, b]}}}\n"}));
}

TEST(Order, OfEntriesDoesNotChangeWhatIsDecoded) {
  const auto a = decode("units: {a.service: {enabled: true}, b.service: {enabled: false}}\n");
  const auto b = decode("units: {b.service: {enabled: false}, a.service: {enabled: true}}\n");
  ASSERT_TRUE(a.specs && b.specs);
  EXPECT_EQ(a.specs->units[0].name, b.specs->units[0].name);
}

TEST(Selector, NormalisesWhatItCompares) {
  const auto decoded = decode(
      "gpus:\n- match: {address: \"0000:3B:00.0\"}\n- match: {pciId: \"10DE:20B0/10DE:134F\", expect: 3, "
      "missing: "
      "skip}\n- match: {uuid: GPU-5F2A9C1E-7B64-4D3A-9E0F-1C2B3A4D5E6F}\n- match: {all: true}\n");
  ASSERT_TRUE(decoded.specs) << decoded.diagnostics.render();
  const auto selector = [&](std::size_t i) { return *decoded.specs->gpus[i].entry.selector; };
  EXPECT_EQ(selector(0).value, "0000:3b:00.0");
  EXPECT_EQ(selector(1).value, "10de:20b0/10de:134f");
  EXPECT_EQ(selector(1).expect, 3U);
  EXPECT_EQ(selector(1).missing, GpuSelector::Missing::skip);
  EXPECT_EQ(selector(2).value, "5f2a9c1e-7b64-4d3a-9e0f-1c2b3a4d5e6f");
  EXPECT_EQ(selector(3).to_string(), "all");
}

TEST(Names, OfSeveralGpusTakeTheirNumber) {
  const std::string gpus =
      "gpus: [{name: desk, match: {model: A40, expect: 2}, vgpus: [{name: cad, type: A40-12Q, count: 4}]}]\n";
  EXPECT_EQ(
      decode(gpus + "vms: [{name: a, devices: [{vgpu: desk#0/cad/3}, {vgpu: desk#1/cad/3}]}]\n").problems(),
      Ids{});
  for (const std::string wrong :
       {"desk/cad/0", "desk#2/cad/0", "desk#0/cad/4", "desk#0/cad", "desk#0/cad/00", "desk#"})
    EXPECT_EQ(decode(gpus + "vms: [{name: a, devices: [{vgpu: \"" + wrong + "\"}]}]\n").problems(),
              Ids{"undefined-name"})
        << wrong;
}

TEST(Names, AreOneDeviceInBothSpellings) {
  const std::string gpus = "gpus: [{name: g, match: {model: A40}, vgpus: [{name: v, type: A40-12Q}]}]\n";
  EXPECT_EQ(
      decode(gpus + "vms: [{name: a, devices: [{vgpu: g/v}]}, {name: b, devices: [{vgpu: \"g#0/v/0\"}]}]\n")
          .problems(),
      Ids{"used-twice"});
}

TEST(Layout, AppliesToSeveralEntriesAndReportsItsProblemsOnce) {
  const std::string entries =
      "gpus:\n- {match: {slot: \"1\"}, layout: l}\n- {match: {slot: \"2\"}, layout: l}\n";
  const auto good = decode(entries + "layouts: {l: {ecc: true}}\n");
  ASSERT_TRUE(good.specs);
  EXPECT_TRUE(good.specs->gpus[0].ecc && good.specs->gpus[1].ecc);
  EXPECT_EQ(decode(entries + "layouts: {l: {ecc: maybe, colour: red}}\n").problems(),
            (Ids{"not-boolean", "unknown-key"}));
}

TEST(Limits, HoldForEntries) {
  std::string gpus = "gpus:\n";
  std::string vms = "vms:\n";
  for (int i = 0; i <= 64; ++i) gpus += "- match: {slot: s" + std::to_string(i) + "}\n";
  for (int i = 0; i <= 4096; ++i) vms += "- name: v" + std::to_string(i) + "\n";
  EXPECT_EQ(decode(gpus).problems(), Ids{"too-many-entries"});
  EXPECT_EQ(decode(vms).problems(), Ids{"too-many-entries"});
}

TEST(KernelValues, AreTakenAsWritten) {
  const auto decoded = decode("kernel: {parameters: {a: on, b: 0x1F, c: 1.50, d: off, e: 'true'}}\n");
  ASSERT_TRUE(decoded.specs) << decoded.diagnostics.render();
  std::string values;
  for (const auto& parameter : decoded.specs->kernel_parameters) values += parameter.values.at(0) + " ";
  EXPECT_EQ(values, "on 0x1F 1.50 off true ");
}

TEST(KernelValues, HaveNothingThatAShellInterprets) {
  for (const char c : std::string("$`;#&|<>(){}*?[]!~'^ \""))
    EXPECT_EQ(decode("kernel:\n  parameters:\n    a: |-\n      x" + std::string(1, c) + "y\n").problems(),
              Ids{"malformed"})
        << c;
}

TEST(Durations, TakeSecondsMinutesAndHours) {
  const auto timeout = [](const std::string& text) {
    const auto decoded = decode("policy: {guestStop: {timeout: " + text + "}}\n");
    return decoded.specs ? decoded.specs->policy.guest_stop_timeout : -1s;
  };
  EXPECT_EQ(timeout("90s"), 90s);
  EXPECT_EQ(timeout("3m"), 180s);
  EXPECT_EQ(timeout("24h"), 86400s);
  for (const auto* wrong : {"0s", "25h", "1d", "1h30m", "s", "3", "\"\"", "-1s", "99999999999999999999s"})
    EXPECT_EQ(timeout(wrong), -1s) << wrong;
}

TEST(Connections, StayOnTheHost) {
  const auto accepted = [](const std::string& uri) {
    return decode("vms: [{name: a, connection: \"" + uri + "\"}]\n").specs.has_value();
  };
  for (const auto* local :
       {"qemu:///system", "qemu:///session", "qemu:///embed?root=/tmp/x", "test:///default"})
    EXPECT_TRUE(accepted(local)) << local;
  for (const auto* other :
       {"qemu+ssh://h/system", "qemu+tcp:///system", "qemu://h/system", "qemu:///system?socket=/x",
        "qemu+ssh:///system", "test+ssh://h/default", "xen:///system", "qemu:///system#"})
    EXPECT_FALSE(accepted(other)) << other;
}

TEST(KnownKeys, AreCollectedAsPaths) {
  Diagnostics diagnostics;
  diagnostics.add_source({"a.yaml", head + "metadata: {name: t}\nunits: {\"a.service\": {}}\n"});
  std::set<std::string> keys;
  ASSERT_TRUE(decode_specs(diagnostics, &keys));
  EXPECT_TRUE(keys.contains("units[].enabled"));
  EXPECT_TRUE(keys.contains("metadata.name"));
}

}  // namespace
}  // namespace gpuhost
