#include "host/sim/recorder.hpp"

#include <gtest/gtest.h>

#include "host/sim/command_line_mask.hpp"
#include "host/sim/sim_host.hpp"

namespace gpuhost {
namespace {

HostFile::Text text(std::string content, unsigned mode = 0644) {
  return {std::move(content), mode};
}

HostFile host() {
  HostFile made;
  made.name = "test";
  made.files["/etc/hostname"] = text("kvm-gpu-07\n");
  made.files["/proc/sys/kernel/osrelease"] = text("6.1.0\n");
  made.files["/proc/cmdline"] = text("root=UUID=1 ro ip=10.0.0.1 intel_iommu=off\n");
  made.files["/sys/firmware/acpi/tables/DMAR"] =
      HostFile::Unreadable{"cannot read it: Permission denied", true};
  made.files["/sys/class/iommu"] = HostFile::Directory{};
  made.files["/sys/module/nouveau/parameters/modeset"] = text("-1\n");
  made.files["/etc/modprobe.d/a.conf"] = text("options kvm nested=1\n", 0600);
  made.files["/etc/modprobe.d/README"] = text("not asked for\n");
  made.files["/sys/devices/gpu/vendor"] = text("0x10de\n");
  made.files["/sys/bus/pci/devices/0000:41:00.0"] = HostFile::Link{"../../../devices/gpu"};
  made.files["/usr/sbin/update-grub"] = text("#!/bin/sh\n", 0755);
  made.modules["drm"].loaded = LoadedModule{1, {"nouveau"}};
  made.modules["nouveau"].loaded = LoadedModule{};
  made.modules["nouveau"].file.parameters = {"modeset"};
  made.modules["unused"] = {};
  made.units["a.service"].state = {"loaded", "active", "running", "enabled"};
  made.units["unasked.service"].state = {"loaded", "active", "running", "enabled"};
  return made;
}

/// Everything this look asks, so that two hosts can be compared by it.
std::string look(const HostView& view) {
  std::string seen;
  const auto note = [&](const auto& result, auto show) {
    seen += (result ? show(*result)
                    : std::string(to_string(result.error().kind)) + ": " + result.error().message) +
            "\n";
  };
  const auto same = [](const std::string& value) { return value; };
  const auto names = [](const auto& list) {
    std::string all;
    for (const auto& name : list) all += name + " ";
    return all;
  };
  for (const char* path :
       {"/sys/class/iommu", "/etc/modprobe.d", "/sys/firmware/acpi/tables", "/sys/bus/pci/devices"}) {
    note(view.files.list(path), names);
  }
  for (const char* path :
       {"/etc/modprobe.d/a.conf", "/etc/absent", "/sys/firmware/acpi/tables/DMAR",
        "/sys/bus/pci/devices/0000:41:00.0/vendor", "/sys/module/nouveau/parameters/modeset"}) {
    note(view.files.read(path), same);
  }
  for (const char* path : {"/usr/sbin/update-grub", "/usr/sbin/grubby"}) {
    note(view.files.exists(path), [](bool there) { return std::string(there ? "yes" : "no"); });
  }
  note(view.files.link_target("/sys/bus/pci/devices/0000:41:00.0"), same);
  note(view.modules.available("nouveau"), [&](const ModuleFile& file) { return names(file.parameters); });
  note(view.modules.available("absent"), [](const ModuleFile&) { return std::string("there"); });
  note(view.modules.loaded(), [](const auto& loaded) { return std::to_string(loaded.size()); });
  for (const char* unit : {"a.service", "absent.service"}) {
    note(view.units.state(unit),
         [](const UnitState& state) { return state.load_state + state.active_state; });
  }
  return seen;
}

TEST(Recorder, ARecordedHostAnswersAsTheLiveOneDid) {
  const SimHost live(host());
  std::string seen;
  const auto recorded = record_host(live.view(), [&](const HostView& view) { seen = look(view); });
  EXPECT_EQ(look(SimHost(recorded).view()), seen);
}

TEST(Recorder, HoldsWhatWasAskedForAndTheIdentityAndNothingElse) {
  const SimHost live(host());
  const auto recorded = record_host(live.view(), [](const HostView& view) { static_cast<void>(look(view)); });
  EXPECT_EQ(recorded.name, "kvm-gpu-07");
  EXPECT_EQ(recorded.files.at("/etc/modprobe.d/a.conf"),
            HostFile::Entry(text("options kvm nested=1\n", 0600)));
  EXPECT_EQ(recorded.files.at("/sys/devices/gpu/vendor"), HostFile::Entry(text("0x10de\n")))
      << "where it really lies";
  EXPECT_TRUE(recorded.files.contains("/proc/sys/kernel/osrelease"));
  EXPECT_TRUE(std::holds_alternative<HostFile::Unreadable>(recorded.files.at("/etc/modprobe.d/README")));
  EXPECT_FALSE(recorded.units.contains("unasked.service"));
  EXPECT_FALSE(recorded.modules.contains("unused"));
}

TEST(Recorder, WritesNothing) {
  const SimHost live(host());
  static_cast<void>(record_host(live.view(), [](const HostView& view) { static_cast<void>(look(view)); }));
  for (const auto& access : live.accesses())
    EXPECT_FALSE(access.write) << access.call << " " << access.object;
}

TEST(Recorder, KnowsWhatABootWillDo) {
  const SimHost live(host());
  const auto recorded = record_host(live.view(), [](const HostView& view) { static_cast<void>(look(view)); });
  EXPECT_EQ(recorded.machine.iommu, HostFile::Iommu::intel) << "there is a DMAR table";
  EXPECT_TRUE(recorded.modules.at("nouveau").at_boot);
  EXPECT_EQ(recorded.modules.at("nouveau").depends, std::vector<std::string>{"drm"});
  EXPECT_EQ(recorded.modules.at("nouveau").defaults.at("modeset"), "-1");
}

TEST(Recorder, KeepsWhatCouldNotBeTold) {
  auto file = host();
  file.modules_unknown = Error{ErrorKind::unsupported, "the kernel has no module support"};
  file.units_unknown = Error{ErrorKind::unavailable, "no system bus"};
  const SimHost live(file);
  std::string seen;
  const auto recorded = record_host(live.view(), [&](const HostView& view) { seen = look(view); });
  EXPECT_EQ(recorded.modules_unknown, file.modules_unknown);
  EXPECT_EQ(recorded.units_unknown, file.units_unknown);
  EXPECT_EQ(look(SimHost(recorded).view()), seen);
}

TEST(Recorder, MasksTheCommandLine) {
  const SimHost live(host());
  const auto recorded = record_host(live.view(), [](const HostView&) {});
  EXPECT_EQ(recorded.files.at("/proc/cmdline"),
            HostFile::Entry(text("root=UUID=1 ro ip=<masked> intel_iommu=off\n")));
}

TEST(Recorder, HoldsTheIdentityRecord) {
  auto file = host();
  file.files["/var/lib/gpuhost/identity.json"] = text("{}\n");
  const SimHost live(file);
  const auto recorded = record_host(live.view(), [](const HostView&) {});
  EXPECT_EQ(recorded.files.at("/var/lib/gpuhost/identity.json"), HostFile::Entry(text("{}\n")));
}

struct MaskCase {
  std::string path;
  std::string content;
  std::string recorded;
};

class Masked : public ::testing::TestWithParam<MaskCase> {};

TEST_P(Masked, HoldsNoSecret) {
  EXPECT_EQ(recordable(GetParam().path, GetParam().content), GetParam().recorded);
}

INSTANTIATE_TEST_SUITE_P(
    Recorder, Masked,
    testing::Values(
        MaskCase{"/proc/cmdline",
                 "BOOT_IMAGE=/v root=UUID=1 ro  nouveau.modeset=0 quiet ds=nocloud;s=http://x\n",
                 "BOOT_IMAGE=/v root=UUID=1 ro  nouveau.modeset=0 quiet ds=<masked>\n"},
        MaskCase{"/proc/cmdline", "a=\"b c\" \"d=e f\" iommu=pt systemd.set_credential=x:y intel-iommu=on",
                 "a=<masked> \"d=<masked>\" iommu=pt systemd.set_credential=<masked> intel-iommu=on"},
        MaskCase{"/etc/kernel/cmdline", "root=ZFS=rpool boot=zfs pw=1\n",
                 "root=ZFS=rpool boot=zfs pw=<masked>\n"},
        MaskCase{"/etc/default/grub",
                 "# password\nGRUB_PASSWORD=x\nGRUB_CMDLINE_LINUX=\"quiet ip=1\"  # "
                 "why\nGRUB_CMDLINE_LINUX_DEFAULT=ip=2\n"
                 "GRUB_CMDLINE_LINUX_XEN='iommu=pt'\nif true; then\n",
                 "GRUB_CMDLINE_LINUX=\"quiet ip=<masked>\"\nGRUB_CMDLINE_LINUX_DEFAULT=\"ip=<masked>\"\n"
                 "GRUB_CMDLINE_LINUX_XEN='iommu=pt'\n: not recorded\n"},
        MaskCase{"/etc/default/grub.d/zz-gpuhost.cfg",
                 "# key: ip=1\nset -f\nGRUB_CMDLINE_LINUX_DEFAULT=\"$gpuhost_words ip=1 iommu=pt\"\n",
                 "# key: ip=<masked>\nset -f\nGRUB_CMDLINE_LINUX_DEFAULT=\"$gpuhost_words ip=<masked> "
                 "iommu=pt\"\n"},
        MaskCase{"/boot/grub/grub.cfg",
                 "password_pbkdf2 root grub.pbkdf2.sha512.x\nfunction f {\n}\nmenuentry 'A' {\n\tset x=1\n"
                 "\tlinux\t/v root=UUID=1 ro ip=1\n\tinitrd\t/i\n}\n",
                 "menuentry 'A' {\n\tlinux\t/v root=UUID=1 ro ip=<masked>\n\tinitrd\t/i\n}\n"},
        MaskCase{"/boot/loader/entries/a.conf",
                 "title A\noptions root=x ip=1 $tuned_params\ngrub_users $grub_users\n",
                 "title A\noptions root=x ip=<masked> $tuned_params\n"},
        MaskCase{"/boot/grub2/grubenv", "saved_entry=a\nsecret=b\nkernelopts=root=x ip=1\n",
                 "saved_entry=a\nkernelopts=root=x ip=<masked>\n"},
        MaskCase{"/proc/cpuinfo", "processor : 0\n\nprocessor : 1\n\n", "processor : 0\n\n"},
        MaskCase{"/var/lib/gpuhost/boot-loader.json",
                 R"({"command_line": "quiet ip=1", "format_version": 1})",
                 "{\n  \"command_line\": \"quiet ip=<masked>\",\n  \"format_version\": 1\n}\n"},
        MaskCase{
            "/var/lib/gpuhost/ownership.json",
            R"({"a": {"kernel.parameters[ip]": {"applied": ["1"]}, "kernel.parameters[iommu]": {"applied": ["pt"]}}})",
            "{\n  \"a\": {\n    \"kernel.parameters[iommu]\": {\n      \"applied\": [\n        \"pt\"\n      "
            "]\n    },\n"
            "    \"kernel.parameters[ip]\": {\n      \"applied\": [\n        \"<masked>\"\n      ]\n    }\n  "
            "}\n}\n"},
        MaskCase{"/etc/hostname", "a\n", "a\n"}));

TEST(Recorder, TakesOfTheLicenceDaemonsConfigurationWhatIsNoSecret) {
  EXPECT_EQ(recordable("/etc/nvidia/gridd.conf",
                       "# comment\nServerAddress=lic.example.org\nServerPort=7070\nProxyUserName=someone\n"
                       "FeatureType=2\nClientConfigTokenPath=/srv/tokens\nProxyCredentials\n"),
            "ServerAddress=lic.example.org\nServerPort=7070\nFeatureType=2\n"
            "ClientConfigTokenPath=/srv/tokens\n");
}

}  // namespace
}  // namespace gpuhost
