#include "kinds/kernel_parameters/kernel_parameters.hpp"

#include "kinds/kernel_parameters/grub_defaults.hpp"
#include "kinds/kernel_parameters/grub_drop_in.hpp"
#include "kinds/one_pass.hpp"

namespace gpuhost::testing {
namespace {

constexpr const char* drop_in_path = GrubDropIn::path;

std::string grub_config(const std::string& line) {
  return "menuentry 'Debian GNU/Linux' --class debian $menuentry_id_option 'gnulinux-simple' {\n"
         "\tlinux\t/vmlinuz-6.1.0-1-amd64 root=/dev/vda1 ro  " +
         line +
         "\n}\n"
         "submenu 'Advanced options' {\n\tmenuentry 'Debian GNU/Linux, with Linux 6.1.0-1-amd64 (recovery "
         "mode)' {\n"
         "\t\tlinux /vmlinuz-6.1.0-1-amd64 root=/dev/vda1 ro single\n\t}\n}\n";
}

/// A Debian host whose update-grub does what Debian's does with defaults and drop-in.
FakeHost debian() {
  FakeHost host;
  host.files["/proc/cmdline"] = "BOOT_IMAGE=/vmlinuz-6.1.0-1-amd64 root=/dev/vda1 ro quiet\n";
  host.files["/etc/default/grub"] = "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX=\"\"\n";
  host.files["/usr/sbin/update-grub"] = "";
  host.files["/boot/grub/grub.cfg"] = grub_config("quiet");
  return host;
}

void give_debian_its_update_grub(FakeHost& host) {
  host.on_command = [&host](const Command&) {
    const auto base = grub_command_line(std::array{host.files["/etc/default/grub"]});
    const auto drop_in =
        host.files.contains(drop_in_path) ? GrubDropIn::parse(host.files[drop_in_path]) : GrubDropIn{};
    host.files["/boot/grub/grub.cfg"] = grub_config(drop_in.applied_to(*base).text());
    return CommandResult{};
  };
}

using Specs = std::vector<KernelParameterSpec>;

TEST(KernelParameters, are_staged_in_the_drop_in_then_built_then_wait_for_the_boot) {
  auto host = debian();
  give_debian_its_update_grub(host);
  Ownership owned;
  const Policy policy;
  auto kind = make_kernel_parameters(Specs{{"intel_iommu", true, {"on"}}, {"quiet", false, {}}});
  const auto first = plan(*kind, host, owned, policy);
  ASSERT_EQ(first.steps.size(), 3U);
  EXPECT_EQ(first.steps[0].action.address, "kernel.parameters[intel_iommu]");
  EXPECT_EQ(first.steps[0].actions, std::vector<std::string>{"create"});
  EXPECT_EQ(first.steps[1].actions, std::vector<std::string>{"delete"});
  EXPECT_EQ(first.steps[2].action.address, "kernel.boot_loader");
  EXPECT_EQ(first.steps[2].needs.size(), 2U);
  const auto& at_boot = first.steps[2].provides_at_boot;
  EXPECT_NE(std::ranges::find(at_boot, Fact{"kernel_parameter/intel_iommu", "on"}), at_boot.end());
  EXPECT_NE(std::ranges::find(at_boot, Fact{"kernel_parameter/quiet", "absent"}), at_boot.end());
  run_all(*kind, first, host, owned);
  EXPECT_EQ(host.commands, std::vector<std::string>{"/usr/sbin/update-grub"});

  const auto second = plan(*kind, host, owned, policy);
  EXPECT_TRUE(second.steps.empty());
  EXPECT_EQ(finding(second, "kernel.parameters[quiet]").verdict, Finding::Verdict::pending_reboot);
  EXPECT_NE(std::ranges::find(second.true_at_next_boot, Fact{"kernel_parameter/intel_iommu", "on"}),
            second.true_at_next_boot.end());

  host.files["/proc/cmdline"] = "root=/dev/vda1 ro intel-iommu=on\n";
  const auto third = plan(*kind, host, owned, policy);
  EXPECT_TRUE(third.steps.empty());
  EXPECT_EQ(finding(third, "kernel.parameters[intel_iommu]").verdict, Finding::Verdict::in_sync);
}

TEST(KernelParameters, no_longer_named_leave_the_drop_in_and_the_entries) {
  auto host = debian();
  give_debian_its_update_grub(host);
  Ownership owned;
  const Policy policy;
  auto kind =
      make_kernel_parameters(Specs{{"quiet", false, {}}, {"console", true, {"tty0", "ttyS0,115200"}}});
  run_all(*kind, plan(*kind, host, owned, policy), host, owned);
  EXPECT_FALSE(host.files["/boot/grub/grub.cfg"].contains("quiet"));
  EXPECT_TRUE(host.files["/boot/grub/grub.cfg"].contains("console=tty0 console=ttyS0,115200"));
  ASSERT_FALSE(owned.empty());

  kind = make_kernel_parameters({});
  const auto back = plan(*kind, host, owned, policy);
  run_all(*kind, back, host, owned);
  EXPECT_FALSE(host.files.contains(drop_in_path));
  EXPECT_EQ(host.files["/boot/grub/grub.cfg"].find("console"), std::string::npos);
  EXPECT_TRUE(host.files["/boot/grub/grub.cfg"].contains("ro  quiet"));
  EXPECT_TRUE(owned.empty());
  EXPECT_TRUE(plan(*kind, host, owned, policy).steps.empty());
}

TEST(KernelParameters, of_other_documents_stay_in_the_drop_in) {
  auto host = debian();
  give_debian_its_update_grub(host);
  GrubDropIn others;
  others.set("hugepages", {"16"});
  host.files[drop_in_path] = others.render();
  Ownership owned;
  const Policy policy;
  auto kind = make_kernel_parameters(Specs{{"iommu", true, {"pt"}}});
  run_all(*kind, plan(*kind, host, owned, policy), host, owned);
  const auto now = GrubDropIn::parse(host.files[drop_in_path]);
  ASSERT_NE(now.find("hugepages"), nullptr);
  EXPECT_TRUE(now.intact());
}

TEST(KernelParameters, changed_by_another_hand_are_staged_again) {
  auto host = debian();
  give_debian_its_update_grub(host);
  Ownership owned;
  const Policy policy;
  auto kind = make_kernel_parameters(Specs{{"iommu", true, {"pt"}}});
  run_all(*kind, plan(*kind, host, owned, policy), host, owned);
  const auto written = host.files[drop_in_path];
  host.files[drop_in_path] = written + "GRUB_CMDLINE_LINUX=\"iommu=off\"\n";
  host.files["/boot/grub/grub.cfg"] = grub_config("iommu=off");
  run_all(*kind, plan(*kind, host, owned, policy), host, owned);
  EXPECT_EQ(host.files[drop_in_path], written);
}

TEST(KernelParameters, a_failed_rebuild_is_planned_again) {
  auto host = debian();
  Ownership owned;
  const Policy policy;
  auto kind = make_kernel_parameters(Specs{{"iommu", true, {"pt"}}});
  const auto first = plan(*kind, host, owned, policy);
  auto port = host.host();
  ASSERT_TRUE(kind->run(first.steps[0].action, port));
  host.on_command = [](const Command&) { return CommandResult{1, "no space left on device\n"}; };
  const auto failed = kind->run(first.steps[1].action, port);
  ASSERT_FALSE(failed);
  EXPECT_TRUE(failed.error().message.contains("no space left on device"));
  const auto second = plan(*kind, host, owned, policy);
  ASSERT_EQ(second.steps.size(), 1U);
  EXPECT_EQ(second.steps[0].action.address, "kernel.boot_loader");
  EXPECT_TRUE(second.steps[0].needs.empty());
}

TEST(KernelParameters, name_the_entries_that_differ) {
  auto host = debian();
  host.files["/boot/grub/grub.cfg"] =
      "menuentry 'new' {\n linux /vmlinuz-2 ro iommu=pt\n}\nmenuentry 'old' {\n linux /vmlinuz-1 ro\n}\n";
  const auto seen = plan(*make_kernel_parameters(Specs{{"iommu", true, {"pt"}}}), host, {}, {});
  const auto& found = finding(seen, "kernel.parameters[iommu]");
  EXPECT_EQ(found.verdict, Finding::Verdict::differs);
  EXPECT_TRUE(found.reason.contains("'old'")) << found.reason;
}

TEST(KernelParameters, that_cannot_be_read_are_unknown_and_change_nothing) {
  auto host = debian();
  host.errors["/boot/grub/grub.cfg"] = {ErrorKind::denied,
                                        "cannot open /boot/grub/grub.cfg: Permission denied"};
  const auto seen = plan(*make_kernel_parameters(Specs{{"iommu", true, {"pt"}}}), host, {}, {});
  EXPECT_TRUE(seen.steps.empty());
  EXPECT_EQ(seen.findings.at(0).verdict, Finding::Verdict::unknown);
  EXPECT_TRUE(seen.findings.at(0).permission);
}

TEST(KernelParameters, without_a_boot_loader_are_blocked) {
  FakeHost host;
  host.files["/proc/cmdline"] = "ro\n";
  const auto seen = plan(*make_kernel_parameters(Specs{{"iommu", true, {"pt"}}}), host, {}, {});
  ASSERT_EQ(seen.steps.size(), 1U);
  EXPECT_TRUE(seen.steps[0].blocked_by.at(0).contains("no boot loader"));
}

TEST(KernelParameters, of_an_image_without_grub_config_are_the_drop_in_alone) {
  FakeHost host;
  host.running = false;
  host.files["/etc/default/grub"] = "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n";
  Ownership owned;
  auto kind = make_kernel_parameters(Specs{{"iommu", true, {"pt"}}});
  const auto first = plan(*kind, host, owned, {});
  ASSERT_EQ(first.steps.size(), 1U);
  EXPECT_FALSE(first.steps[0].before.contains("running"));
  run_all(*kind, first, host, owned);
  const auto writes = host.writes;
  const auto second = plan(*kind, host, owned, {});
  EXPECT_TRUE(second.steps.empty());
  EXPECT_EQ(second.findings.at(0).verdict, Finding::Verdict::in_sync);
  EXPECT_EQ(host.writes, writes);
  host.files["/boot/grub/grub.cfg"] = grub_config("quiet");
  const auto blocked = plan(*kind, host, owned, {});
  ASSERT_EQ(blocked.steps.size(), 1U);
  EXPECT_TRUE(blocked.steps[0].blocked_by.at(0).contains("--root"));
}

TEST(KernelParameters, on_proxmox_are_refreshed_again_after_a_failed_refresh) {
  FakeHost host;
  host.files["/proc/cmdline"] = "root=ZFS=rpool/ROOT/pve-1 boot=zfs\n";
  host.files["/etc/kernel/proxmox-boot-uuids"] = "ABCD-1234\n";
  host.files["/etc/kernel/cmdline"] = "root=ZFS=rpool/ROOT/pve-1 boot=zfs\n";
  Ownership owned;
  auto kind = make_kernel_parameters(Specs{{"iommu", true, {"pt"}}});
  const auto first = plan(*kind, host, owned, {});
  ASSERT_EQ(first.steps.size(), 2U);
  auto port = host.host();
  ASSERT_TRUE(kind->run(first.steps[0].action, port));
  EXPECT_EQ(host.files["/etc/kernel/cmdline"], "root=ZFS=rpool/ROOT/pve-1 boot=zfs iommu=pt\n");
  const auto second = plan(*kind, host, owned, {});
  ASSERT_EQ(second.steps.size(), 1U);
  run_all(*kind, second, host, owned);
  EXPECT_EQ(host.commands, std::vector<std::string>{"/usr/sbin/proxmox-boot-tool refresh"});
  EXPECT_TRUE(plan(*kind, host, owned, {}).steps.empty());
}

TEST(KernelParameters, with_grubby_change_entries_and_what_later_kernels_read) {
  FakeHost host;
  host.files["/proc/cmdline"] = "root=/dev/vda1 ro rhgb\n";
  host.files["/usr/sbin/grubby"] = "";
  host.files["/boot/loader/entries/a-5.14.conf"] = "title Alma (5.14)\noptions root=/dev/vda1 ro rhgb\n";
  host.files["/etc/default/grub"] = "# kept\nGRUB_CMDLINE_LINUX=\"ro rhgb\"  # also kept\n";
  host.on_command = [&](const Command& command) {
    if (command.argv.at(2).starts_with("--args="))
      host.files["/boot/loader/entries/a-5.14.conf"] =
          "title Alma (5.14)\noptions root=/dev/vda1 ro rhgb " + command.argv.at(2).substr(7) + "\n";
    return CommandResult{};
  };
  Ownership owned;
  auto kind = make_kernel_parameters(Specs{{"intel_iommu", true, {"on"}}});
  const auto first = plan(*kind, host, owned, {});
  ASSERT_EQ(first.steps.size(), 1U);
  EXPECT_FALSE(first.steps[0].provides_at_boot.empty());
  run_all(*kind, first, host, owned);
  EXPECT_EQ(host.files["/etc/default/grub"],
            "# kept\nGRUB_CMDLINE_LINUX=\"ro rhgb intel_iommu=on\"  # also kept\n");
  EXPECT_TRUE(plan(*kind, host, owned, {}).steps.empty());
}

TEST(KernelParameters, facts_follow_the_running_command_line) {
  auto host = debian();
  host.files["/proc/cmdline"] = "ro intel_iommu=on amd_iommu=off console=tty0 console=ttyS0 nosmt\n";
  const auto kind = make_kernel_parameters({});
  const auto seen = kind->observe(host.view());
  const auto holds = [&](const char* key, const char* state) {
    return kind->holds({std::string("kernel_parameter/") + key, state}, *seen)->value == Truth::Value::yes;
  };
  EXPECT_TRUE(holds("intel_iommu", "on"));
  EXPECT_TRUE(holds("intel_iommu", "not off"));
  EXPECT_FALSE(holds("amd_iommu", "not off"));
  EXPECT_TRUE(holds("iommu", "absent"));
  EXPECT_TRUE(holds("console", "tty0|ttyS0"));
  EXPECT_TRUE(holds("nosmt", ""));
  EXPECT_FALSE(holds("iommu", ""));
  EXPECT_FALSE(kind->holds({"module/nvidia", "loaded"}, *seen));
  EXPECT_EQ(kind->advice({"kernel_parameter/intel_iommu", "on"}),
            "add kernel.parameters.intel_iommu: \"on\"");
}

}  // namespace
}  // namespace gpuhost::testing
