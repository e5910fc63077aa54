#include "kinds/kernel_modules/kernel_modules.hpp"

#include "kinds/one_pass.hpp"

namespace gpuhost::testing {
namespace {

using State = KernelModuleSpec::State;
using Specs = std::vector<KernelModuleSpec>;

constexpr const char* modprobe_path = "/etc/modprobe.d/zz-gpuhost.conf";
constexpr const char* boot_list_path = "/etc/modules-load.d/gpuhost.conf";

FakeHost host_with_modules() {
  FakeHost host;
  host.module_files["vfio_pci"] = {.parameters = {"disable_idle_d3", "ids"}};
  host.module_files["nouveau"] = {.parameters = {"modeset"}};
  host.module_files["loop"] = {.builtin = true};
  host.files["/usr/sbin/update-initramfs"] = "";
  return host;
}

Policy allowing(Disruption level) {
  Policy policy;
  policy.disruption = level;
  return policy;
}

TEST(KernelModules, are_configured_then_loaded_and_the_second_time_nothing_is_left) {
  auto host = host_with_modules();
  Ownership owned;
  auto kind = make_kernel_modules(Specs{{"vfio-pci", State::loaded, {{"disable_idle_d3", "1"}}}});
  const auto first = plan(*kind, host, owned, {});
  run_all(*kind, first, host, owned);
  EXPECT_TRUE(host.files[modprobe_path].contains("\noptions vfio_pci disable_idle_d3=1\n"));
  EXPECT_TRUE(host.files[boot_list_path].contains("\nvfio_pci\n"));
  EXPECT_TRUE(host.loaded_modules.contains("vfio_pci"));
  EXPECT_EQ(host.commands, std::vector<std::string>{"/usr/sbin/update-initramfs -u -k all"});
  host.files["/sys/module/vfio_pci/parameters/disable_idle_d3"] = "Y\n";
  const auto second = plan(*kind, host, owned, {});
  EXPECT_TRUE(second.steps.empty()) << titles(second).front();
  EXPECT_EQ(second.findings.at(0).verdict, Finding::Verdict::in_sync);
}

TEST(KernelModules, named_no_longer_are_given_back) {
  auto host = host_with_modules();
  Ownership owned;
  auto kind = make_kernel_modules(Specs{{"vfio_pci", State::loaded, {{"disable_idle_d3", "1"}}}});
  run_all(*kind, plan(*kind, host, owned, {}), host, owned);
  kind = make_kernel_modules({});
  const auto policy = allowing(Disruption::remove_idle);
  run_all(*kind, plan(*kind, host, owned, policy), host, owned);
  EXPECT_FALSE(host.files.contains(modprobe_path));
  EXPECT_FALSE(host.files.contains(boot_list_path));
  EXPECT_FALSE(host.loaded_modules.contains("vfio_pci"));
  EXPECT_EQ(host.commands.size(), 2U) << "the initramfs has to lose the lines too";
  EXPECT_TRUE(owned.empty());
  EXPECT_TRUE(plan(*kind, host, owned, policy).steps.empty());
}

TEST(KernelModules, given_back_stay_loaded_where_unloading_is_not_allowed) {
  auto host = host_with_modules();
  Ownership owned;
  auto kind = make_kernel_modules(Specs{{"vfio_pci", State::loaded, {}}});
  run_all(*kind, plan(*kind, host, owned, {}), host, owned);
  kind = make_kernel_modules({});
  const auto back = plan(*kind, host, owned, {});
  EXPECT_EQ(back.steps.size(), 1U);
  EXPECT_EQ(back.notes.size(), 1U);
  run_all(*kind, back, host, owned);
  EXPECT_TRUE(host.loaded_modules.contains("vfio_pci"));
}

TEST(KernelModules, blocked_in_use_wait_for_the_boot) {
  auto host = host_with_modules();
  host.loaded_modules["nouveau"] = {.use_count = 3, .users = {}};
  Ownership owned;
  auto kind = make_kernel_modules(Specs{{"nouveau", State::blocked, {}}});
  const auto policy = allowing(Disruption::reboot);
  const auto first = plan(*kind, host, owned, policy);
  ASSERT_EQ(first.steps.size(), 2U);
  EXPECT_EQ(first.steps[1].action.address, "kernel.initramfs");
  EXPECT_EQ(first.steps[1].provides_at_boot, (std::vector<Fact>{{"module/nouveau", "unloaded"}}));
  run_all(*kind, first, host, owned);
  EXPECT_TRUE(host.files[modprobe_path].contains("blacklist nouveau\ninstall nouveau /bin/false\n"));
  const auto second = plan(*kind, host, owned, policy);
  EXPECT_TRUE(second.steps.empty());
  EXPECT_EQ(second.findings.at(0).verdict, Finding::Verdict::pending_reboot);
  EXPECT_EQ(second.true_at_next_boot, (std::vector<Fact>{{"module/nouveau", "unloaded"}}));
}

/// Nobody holds a console, and it is lost all the same.
TEST(KernelModules, blocked_that_drive_a_device_wait_for_the_boot) {
  auto host = host_with_modules();
  host.loaded_modules["nouveau"] = {};
  host.links["/sys/bus/pci/drivers/nouveau/0000:17:00.0"] = "../../../../devices/0000:17:00.0";
  const auto policy = allowing(Disruption::reboot);
  const auto seen = plan(*make_kernel_modules(Specs{{"nouveau", State::blocked, {}}}), host, {}, policy);
  ASSERT_EQ(seen.steps.size(), 2U);
  EXPECT_EQ(seen.steps[1].provides_at_boot, (std::vector<Fact>{{"module/nouveau", "unloaded"}}));
  const auto unloaded = make_kernel_modules(Specs{{"nouveau", State::unloaded, {}}});
  EXPECT_TRUE(plan(*unloaded, host, {}, policy).steps.at(0).blocked_by.empty());
  host.files["/sys/bus/pci/devices/0000:17:00.0/boot_vga"] = "1\n";
  const auto now = plan(*unloaded, host, {}, policy);
  ASSERT_EQ(now.steps.size(), 1U);
  ASSERT_EQ(now.steps[0].blocked_by.size(), 1U);
  EXPECT_TRUE(now.steps[0].blocked_by[0].contains("drives 0000:17:00.0"));
}

TEST(KernelModules, blocked_and_idle_are_unloaded_where_allowed) {
  auto host = host_with_modules();
  host.loaded_modules["nouveau"] = {};
  Ownership owned;
  auto kind = make_kernel_modules(Specs{{"nouveau", State::blocked, {}}});
  run_all(*kind, plan(*kind, host, owned, allowing(Disruption::remove_idle)), host, owned);
  EXPECT_FALSE(host.loaded_modules.contains("nouveau"));
}

TEST(KernelModules, that_use_each_other_are_unloaded_users_first) {
  auto host = host_with_modules();
  host.loaded_modules["nvidia"] = {.use_count = 1, .users = {"nvidia_uvm"}};
  host.loaded_modules["nvidia_uvm"] = {};
  const auto seen =
      plan(*make_kernel_modules(Specs{{"nvidia", State::unloaded, {}}, {"nvidia-uvm", State::unloaded, {}}}),
           host, {}, {});
  ASSERT_EQ(seen.steps.size(), 2U);
  EXPECT_TRUE(seen.steps[0].blocked_by.empty());
  EXPECT_EQ(seen.steps[0].needs, (std::vector<Fact>{{"module/nvidia_uvm", "unloaded"}}));
  EXPECT_EQ(seen.steps[0].disruption, Disruption::remove_idle);
  host.loaded_modules["nvidia_uvm"].use_count = 1;
  const auto held = plan(*make_kernel_modules(Specs{{"nvidia", State::unloaded, {}}}), host, {}, {});
  EXPECT_TRUE(held.steps.at(0).blocked_by.at(0).contains("by nvidia_uvm (use count 1)"));
}

TEST(KernelModules, say_what_is_in_the_way) {
  auto host = host_with_modules();
  const auto why = [&](KernelModuleSpec spec) {
    const auto seen = plan(*make_kernel_modules({std::move(spec)}), host, {}, {});
    for (const auto& step : seen.steps)
      if (!step.blocked_by.empty()) return step.blocked_by.front();
    return std::string("nothing");
  };
  EXPECT_TRUE(why({"absent", State::loaded, {}}).contains("no module absent"));
  EXPECT_TRUE(why({"vfio_pci", State::loaded, {{"disable_idle_d4", "1"}}})
                  .contains("did you mean 'disable_idle_d3'"));
  EXPECT_TRUE(why({"loop", State::unloaded, {}}).contains("built into the kernel"));
  EXPECT_TRUE(why({"loop", State::blocked, {}}).contains("cannot be blocked"));
  host.files["/etc/modprobe.d/a.conf"] = "blacklist vfio_pci\ninstall vfio_pci /bin/false\n";
  EXPECT_TRUE(why({"vfio_pci", State::loaded, {}}).contains("/etc/modprobe.d/a.conf blocks"));
  host.files.clear();
  host.modules_error = Error{ErrorKind::unsupported, "the kernel has no module support"};
  EXPECT_TRUE(why({"vfio_pci", State::loaded, {}}).contains("no module support"));
  EXPECT_EQ(why({"nouveau", State::blocked, {}}), "nothing");
}

TEST(KernelModules, that_cannot_be_read_are_unknown) {
  auto host = host_with_modules();
  host.files["/etc/modprobe.d/secret.conf"] = "";
  host.errors["/etc/modprobe.d/secret.conf"] = {ErrorKind::denied, "permission denied"};
  const auto seen = plan(*make_kernel_modules(Specs{{"nouveau", State::blocked, {}}}), host, {}, {});
  EXPECT_TRUE(seen.steps.empty());
  EXPECT_EQ(seen.findings.at(0).verdict, Finding::Verdict::unknown);
  EXPECT_TRUE(seen.findings.at(0).permission);
}

TEST(KernelModules, of_an_image_are_files_only) {
  auto host = host_with_modules();
  host.running = false;
  Ownership owned;
  auto kind = make_kernel_modules(Specs{{"nouveau", State::blocked, {}}, {"vfio_pci", State::loaded, {}}});
  run_all(*kind, plan(*kind, host, owned, {}), host, owned);
  EXPECT_TRUE(host.commands.empty());
  EXPECT_TRUE(host.loaded_modules.empty());
  const auto second = plan(*kind, host, owned, {});
  EXPECT_TRUE(second.steps.empty());
  for (const auto& found : second.findings) EXPECT_EQ(found.verdict, Finding::Verdict::in_sync);
}

TEST(KernelModules, refresh_the_initramfs_again_after_it_failed) {
  auto host = host_with_modules();
  host.on_command = [](const Command&) { return CommandResult{1, ""}; };
  auto kind = make_kernel_modules(Specs{{"nouveau", State::blocked, {}}});
  const auto first = plan(*kind, host, {}, {});
  auto port = host.host();
  ASSERT_TRUE(kind->run(first.steps.at(0).action, port));
  ASSERT_FALSE(kind->run(first.steps.at(1).action, port));
  const auto second = plan(*kind, host, {}, {});
  ASSERT_EQ(second.steps.size(), 1U);
  EXPECT_EQ(second.steps[0].action.address, "kernel.initramfs");
}

std::string blocks(const Proposal& proposal) {
  std::string all;
  for (const auto& step : proposal.steps)
    for (const auto& why : step.blocked_by) all += step.title + ": " + why + "\n";
  return all;
}

TEST(KernelModules, hidden_by_a_link_to_dev_null_are_not_a_riddle) {
  auto host = host_with_modules();
  host.links["/etc/modprobe.d/site.conf"] = "/dev/null";
  host.errors["/etc/modprobe.d/site.conf"] = {ErrorKind::invalid, "not a regular file"};
  host.files["/lib/modprobe.d/site.conf"] = "blacklist vfio_pci\n";
  const auto seen = plan(*make_kernel_modules(Specs{{"vfio_pci", State::loaded, {}}}), host, {}, {});
  EXPECT_EQ(seen.findings.at(0).verdict, Finding::Verdict::differs) << seen.findings.at(0).reason;
  EXPECT_EQ(blocks(seen), "");
}

TEST(KernelModules, whose_option_a_later_file_sets_are_blocked) {
  auto host = host_with_modules();
  host.files["/run/modprobe.d/zzz.conf"] = "options vfio-pci disable_idle_d3=0\n";
  const Specs specs{{"vfio_pci", State::loaded, {{"disable_idle_d3", "1"}}}};
  EXPECT_TRUE(blocks(plan(*make_kernel_modules(specs), host, {}, {}))
                  .contains("/run/modprobe.d/zzz.conf sets option"));
  host.files["/run/modprobe.d/zzz.conf"] = "options vfio-pci disable_idle_d3=Y\n";
  EXPECT_EQ(blocks(plan(*make_kernel_modules(specs), host, {}, {})), "");
}

TEST(KernelModules, blocked_in_gpuhosts_file_are_mended_after_another_hand) {
  for (const char* left : {"blacklist nouveau\n", "install nouveau /bin/false\n"}) {
    auto host = host_with_modules();
    Ownership owned;
    auto kind = make_kernel_modules(Specs{{"nouveau", State::blocked, {}}});
    run_all(*kind, plan(*kind, host, owned, {}), host, owned);
    const auto written = host.files[modprobe_path];
    host.files[modprobe_path] = left;
    run_all(*kind, plan(*kind, host, owned, {}), host, owned);
    EXPECT_EQ(host.files[modprobe_path], written) << left;
    host.files[modprobe_path] = left;
    kind = make_kernel_modules({});
    run_all(*kind, plan(*kind, host, owned, {}), host, owned);
    EXPECT_FALSE(host.files.contains(modprobe_path)) << left;
  }
}

TEST(KernelModules, with_an_install_command_elsewhere_are_blocked_before_anything_is_written) {
  auto host = host_with_modules();
  host.files["/etc/modprobe.d/a.conf"] = "install nouveau /sbin/modprobe --ignore-install nouveau\n";
  const auto seen = plan(*make_kernel_modules(Specs{{"nouveau", State::blocked, {}}}), host, {}, {});
  EXPECT_TRUE(blocks(seen).contains("/etc/modprobe.d/a.conf has an install command")) << blocks(seen);
}

TEST(KernelModules, blacklisted_elsewhere_would_not_be_loaded_at_boot) {
  auto host = host_with_modules();
  host.files["/etc/modprobe.d/a.conf"] = "blacklist vfio_pci\n";
  host.loaded_modules["vfio_pci"] = {};
  const auto seen = plan(*make_kernel_modules(Specs{{"vfio_pci", State::loaded, {}}}), host, {}, {});
  EXPECT_TRUE(blocks(seen).contains("/etc/modprobe.d/a.conf blacklists module vfio_pci")) << blocks(seen);
}

TEST(KernelModules, unloaded_and_listed_elsewhere_are_told_of) {
  auto host = host_with_modules();
  host.files["/etc/modules-load.d/site.conf"] = "vfio-pci\n";
  const auto seen = plan(*make_kernel_modules(Specs{{"vfio_pci", State::unloaded, {}}}), host, {}, {});
  ASSERT_EQ(seen.notes.size(), 1U);
  EXPECT_TRUE(seen.notes[0].message.contains("/etc/modules-load.d/site.conf loads module vfio_pci again"));
}

TEST(KernelModules, given_back_are_unloaded_before_others_are_loaded) {
  auto host = host_with_modules();
  host.module_files["vfio"] = {};
  Ownership owned;
  auto kind = make_kernel_modules(Specs{{"vfio", State::loaded, {}}});
  run_all(*kind, plan(*kind, host, owned, {}), host, owned);
  const auto next = plan(*make_kernel_modules(Specs{{"vfio_pci", State::loaded, {}}}), host, owned,
                         allowing(Disruption::remove_idle));
  const auto load = std::ranges::find(next.steps, "load module vfio_pci", &Step::title);
  ASSERT_NE(load, next.steps.end());
  EXPECT_NE(std::ranges::find(load->needs, Fact{"module/vfio", "unloaded"}), load->needs.end());
}

TEST(KernelModules, with_options_in_the_kernels_words_of_truth_are_in_sync) {
  auto host = host_with_modules();
  Ownership owned;
  auto kind = make_kernel_modules(Specs{{"vfio_pci", State::loaded, {{"disable_idle_d3", "on"}}}});
  run_all(*kind, plan(*kind, host, owned, {}), host, owned);
  host.files["/sys/module/vfio_pci/parameters/disable_idle_d3"] = "Y\n";
  EXPECT_EQ(plan(*kind, host, owned, {}).findings.at(0).verdict, Finding::Verdict::in_sync);
}

TEST(KernelModules, with_options_that_the_command_line_overrides_are_told_of) {
  auto host = host_with_modules();
  host.files["/proc/cmdline"] = "ro vfio-pci.disable-idle-d3=0\n";
  const auto seen = plan(*make_kernel_modules(Specs{{"vfio_pci", State::loaded, {{"disable_idle_d3", "1"}}}}),
                         host, {}, {});
  ASSERT_EQ(seen.notes.size(), 1U);
  EXPECT_TRUE(seen.notes[0].message.contains("vfio_pci.disable_idle_d3=0")) << seen.notes[0].message;
}

}  // namespace
}  // namespace gpuhost::testing
