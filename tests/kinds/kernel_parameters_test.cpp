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

TEST(KernelParameters, hugepages_beside_hugepagesz_are_blocked_since_their_order_is_not_kept) {
  auto host = debian();
  give_debian_its_update_grub(host);
  const Ownership owned;
  const Policy policy;
  const auto blocks = [&](const std::string& size_key) {
    auto kind = make_kernel_parameters(Specs{{"hugepages", true, {"16"}}, {size_key, true, {"1G"}}});
    std::size_t count = 0;
    for (const auto& step : plan(*kind, host, owned, policy).steps) count += step.blocked_by.size();
    return count;
  };
  EXPECT_EQ(blocks("hugepagesz"), 1U);
  EXPECT_EQ(blocks("default_hugepagesz"), 0U);
}

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

/// Steps and their obstacles in one text, for messages and searches.
std::string blocks(const Proposal& proposal) {
  std::string all;
  for (const auto& step : proposal.steps)
    for (const auto& why : step.blocked_by) all += step.title + ": " + why + "\n";
  return all;
}

TEST(KernelParameters, of_entries_that_no_default_reaches_are_left_alone) {
  auto host = debian();
  host.files["/boot/grub/grub.cfg"] =
      "### BEGIN /etc/grub.d/10_linux ###\nmenuentry 'Debian' {\n linux /vmlinuz-1 ro iommu=pt\n}\n"
      "### END /etc/grub.d/10_linux ###\n"
      "### BEGIN /etc/grub.d/40_custom ###\nmenuentry 'installer' {\n linux /netboot/vmlinuz auto\n}\n"
      "### END /etc/grub.d/40_custom ###\n";
  const auto seen = plan(*make_kernel_parameters(Specs{{"iommu", true, {"pt"}}}), host, {}, {});
  EXPECT_EQ(finding(seen, "kernel.parameters[iommu]").reason, "");
}

TEST(KernelParameters, that_a_later_file_of_grub_sets_are_blocked) {
  auto host = debian();
  host.files["/etc/default/grub.d/zz-site.cfg"] = "GRUB_CMDLINE_LINUX=\"iommu=off\"\n";
  const auto seen = plan(*make_kernel_parameters(Specs{{"iommu", true, {"pt"}}}), host, {}, {});
  EXPECT_TRUE(blocks(seen).contains("/etc/default/grub.d/zz-site.cfg is read after")) << blocks(seen);
}

TEST(KernelParameters, in_the_comments_of_the_drop_in_never_reach_a_shell_unchecked) {
  const auto read = GrubDropIn::parse(
      "# key: iommu=pt\n# key: a)rm=1\n# key: b=$(reboot)\n# absent: c;reboot\n# absent: quiet\n");
  EXPECT_FALSE(read.intact());
  EXPECT_NE(read.find("iommu"), nullptr);
  EXPECT_NE(read.find("quiet"), nullptr);
  EXPECT_FALSE(read.render().contains("rm")) << read.render();
  EXPECT_FALSE(read.render().contains("reboot")) << read.render();
}

TEST(KernelParameters, from_a_damaged_record_are_not_written) {
  FakeHost host;
  host.files["/etc/kernel/proxmox-boot-uuids"] = "ABCD-1234\n";
  host.files["/etc/kernel/cmdline"] = "root=ZFS=rpool/ROOT/pve-1 boot=zfs\n";
  auto kind = make_kernel_parameters({});
  auto port = host.host();
  for (const char* values : {"pt\nrm", "a\" b"})
    EXPECT_FALSE(kind->run(
        {"kernel_parameters", "release", "kernel.parameters[iommu]", {{"key", "iommu"}, {"values", values}}},
        port));
  EXPECT_FALSE(kind->run(
      {"kernel_parameters", "release", "kernel.parameters[a b]", {{"key", "a b"}, {"values", "1"}}}, port));
  EXPECT_EQ(host.writes, 0U);
}

TEST(KernelParameters, are_facts_by_each_part_of_a_list) {
  auto host = debian();
  host.files["/proc/cmdline"] = "ro intel_iommu=on,sm_on\n";
  const auto kind = make_kernel_parameters(Specs{{"intel_iommu", true, {"on,igfx_off"}}});
  const auto seen = kind->observe(host.view());
  EXPECT_EQ(kind->holds({"kernel_parameter/intel_iommu", "on"}, *seen)->value, Truth::Value::yes);
  EXPECT_EQ(kind->holds({"kernel_parameter/intel_iommu", ""}, *seen)->value, Truth::Value::no);
  const auto steps = plan(*kind, host, {}, {}).steps;
  const auto& at_boot = steps.back().provides_at_boot;
  EXPECT_NE(std::ranges::find(at_boot, Fact{"kernel_parameter/intel_iommu", "on"}), at_boot.end());
}

TEST(KernelParameters, dropped_and_unreadable_are_kept_in_the_record_and_told) {
  auto host = debian();
  host.errors["/boot/grub/grub.cfg"] = {ErrorKind::denied,
                                        "cannot open /boot/grub/grub.cfg: Permission denied"};
  Ownership owned;
  owned.claim("doc", {"kernel.parameters[iommu]", nullptr, "pt"});
  const auto seen = plan(*make_kernel_parameters({}), host, owned, {});
  EXPECT_TRUE(seen.steps.empty());
  ASSERT_EQ(seen.notes.size(), 1U);
  EXPECT_TRUE(seen.notes[0].message.contains("Permission denied"));
}

FakeHost proxmox() {
  FakeHost host;
  host.files["/proc/cmdline"] = "root=ZFS=rpool/ROOT/pve-1 boot=zfs\n";
  host.files["/etc/kernel/proxmox-boot-uuids"] = "ABCD-1234\n";
  host.files["/etc/kernel/cmdline"] = "root=ZFS=rpool/ROOT/pve-1 boot=zfs\n";
  return host;
}

TEST(KernelParameters, on_proxmox_that_another_hand_took_out_are_refreshed_too) {
  auto host = proxmox();
  Ownership owned;
  auto kind = make_kernel_parameters(Specs{{"iommu", true, {"pt"}}});
  run_all(*kind, plan(*kind, host, owned, {}), host, owned);
  host.files["/etc/kernel/cmdline"] = "root=ZFS=rpool/ROOT/pve-1 boot=zfs\n";  // and refreshed, perhaps
  run_all(*kind, plan(*kind, host, owned, {}), host, owned);
  EXPECT_EQ(host.files["/etc/kernel/cmdline"], "root=ZFS=rpool/ROOT/pve-1 boot=zfs iommu=pt\n");
  EXPECT_EQ(host.commands.size(), 2U) << "the entries may lack what the file lacked";
  EXPECT_TRUE(plan(*kind, host, owned, {}).steps.empty());
}

/// A systemd-boot host whose kernel-install does what its plugin does.
FakeHost systemd_boot(const std::string& configured, const std::string& options) {
  FakeHost host;
  host.files["/proc/cmdline"] = options + "\n";
  host.files["/usr/bin/kernel-install"] = "";
  host.files["/etc/kernel/cmdline"] = configured + "\n";
  host.files["/lib/modules/6.1/vmlinuz"] = "";
  host.files["/efi/loader/entries/m-6.1.conf"] =
      "title Debian\nversion 6.1\nlinux /m/6.1/linux\noptions " + options + "\n";
  return host;
}

TEST(KernelParameters, are_not_rebuilt_where_the_entries_would_lose_words) {
  auto host = systemd_boot("quiet", "root=/dev/vda1 quiet systemd.machine_id=4c4f");
  const auto seen =
      plan(*make_kernel_parameters(Specs{{"iommu", true, {"pt"}}, {"quiet", false, {}}}), host, {}, {});
  EXPECT_TRUE(blocks(seen).contains("without root=/dev/vda1,")) << blocks(seen);
  host = systemd_boot("root=/dev/vda1 quiet", "root=/dev/vda1 quiet systemd.machine_id=4c4f");
  const auto safe = plan(*make_kernel_parameters(Specs{{"iommu", true, {"pt"}}}), host, {}, {});
  EXPECT_EQ(blocks(safe), "");
}

TEST(KernelParameters, are_not_looked_for_in_entries_that_cannot_have_them) {
  auto host = systemd_boot("root=/dev/vda1 iommu=pt", "root=/dev/vda1 iommu=pt");
  host.files["/efi/loader/entries/memtest.conf"] = "title Memory test\nefi /memtest.efi\n";
  host.files["/efi/loader/entries/m-5.10.conf"] =
      "title Debian, kernel removed\nversion 5.10\nlinux /m/5.10/linux\noptions root=/dev/vda1\n";
  const auto seen = plan(*make_kernel_parameters(Specs{{"iommu", true, {"pt"}}}), host, {}, {});
  EXPECT_TRUE(seen.steps.empty()) << titles(seen).front();
  EXPECT_EQ(seen.findings.at(0).verdict, Finding::Verdict::in_sync) << seen.findings.at(0).reason;
}

TEST(KernelParameters, that_an_unreadable_grub_environment_may_hold_are_unknown) {
  FakeHost host;
  host.files["/proc/cmdline"] = "root=/dev/vda1 ro iommu=pt\n";
  host.files["/usr/sbin/grubby"] = "";
  host.files["/boot/loader/entries/a-4.18.conf"] = "title Alma\noptions $kernelopts\n";
  host.files["/boot/grub2/grubenv"] = "";
  host.errors["/boot/grub2/grubenv"] = {ErrorKind::denied,
                                        "cannot read /boot/grub2/grubenv: Permission denied"};
  const auto seen = plan(*make_kernel_parameters(Specs{{"iommu", true, {"pt"}}}), host, {}, {});
  EXPECT_TRUE(seen.steps.empty());
  EXPECT_EQ(seen.findings.at(0).verdict, Finding::Verdict::unknown);
  EXPECT_TRUE(seen.findings.at(0).permission);
}

}  // namespace
}  // namespace gpuhost::testing
