#include <gtest/gtest.h>

#include "host/sim/sim_host.hpp"

namespace gpuhost {
namespace {

HostFile host(std::map<std::string, std::string> files, std::vector<std::string> programs) {
  HostFile made;
  made.name = "test";
  for (auto& [path, text] : files) made.files[path] = HostFile::Text{text};
  for (auto& program : programs) made.files[program] = HostFile::Text{"", 0755};
  return made;
}

constexpr const char* grub_config =
    "### BEGIN /etc/grub.d/10_linux ###\n"
    "menuentry 'Debian GNU/Linux' --class debian $menuentry_id_option 'gnulinux-simple' {\n"
    "\tlinux\t/boot/vmlinuz-6.1.0-18-amd64 root=UUID=8c1 ro  quiet\n"
    "\tinitrd\t/boot/initrd.img-6.1.0-18-amd64\n"
    "}\n"
    "submenu 'Advanced options' {\n"
    "\tmenuentry 'Debian GNU/Linux, with Linux 6.1 (recovery mode)' {\n"
    "\t\tlinux\t/boot/vmlinuz-6.1.0-18-amd64 root=UUID=8c1 ro single\n"
    "\t}\n"
    "}\n";

CommandResult run(SimHost& sim, std::vector<std::string> argv) {
  auto result = sim.host().commands.run({std::move(argv)});
  EXPECT_TRUE(result) << result.error().message;
  return result.value_or(CommandResult{});
}

TEST(SimCommands, RunsOnlyProgramsThatAreThere) {
  SimHost sim(host({{"/bin/true", ""}}, {}));
  EXPECT_EQ(sim.host().commands.run({{"/usr/sbin/update-grub"}}).error().kind, ErrorKind::not_found);
  EXPECT_EQ(sim.host().commands.run({{"/bin/true"}}).error().kind, ErrorKind::not_found) << "not simulated";
  EXPECT_EQ(sim.host().commands.run({{}}).error().kind, ErrorKind::invalid);
}

TEST(SimCommands, UpdateGrubReadsTheDefaultsThenTheDropInsInOrder) {
  SimHost sim(host(
      {{"/boot/grub/grub.cfg", grub_config},
       {"/etc/default/grub", "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX=\"console=ttyS0\"\n"},
       {"/etc/default/grub.d/b.cfg", "GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT b\"\n"},
       {"/etc/default/grub.d/a.cfg", "GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT a\"\n"},
       {"/etc/default/grub.d/ignored.txt", "if broken\n"}},
      {"/usr/sbin/update-grub"}));
  EXPECT_EQ(run(sim, {"/usr/sbin/update-grub"}).exit_code, 0);
  const auto config = sim.view().files.read("/boot/grub/grub.cfg");
  ASSERT_TRUE(config);
  EXPECT_NE(config->find(
                "\tlinux\t/boot/vmlinuz-6.1.0-18-amd64 root=UUID=8c1 ro console=ttyS0 quiet a b\n\tinitrd"),
            std::string::npos)
      << *config;
  EXPECT_NE(
      config->find("\t\tlinux\t/boot/vmlinuz-6.1.0-18-amd64 root=UUID=8c1 ro single console=ttyS0\n\t}"),
      std::string::npos)
      << *config;
}

TEST(SimCommands, MkconfigFailsOnAScriptItDoesNotUnderstandAndChangesNothing) {
  SimHost sim(host({{"/boot/grub2/grub.cfg", grub_config}, {"/etc/default/grub", "if true; then A=1; fi\n"}},
                   {"/usr/sbin/grub2-mkconfig"}));
  const auto result = run(sim, {"/usr/sbin/grub2-mkconfig", "-o", "/boot/grub2/grub.cfg"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.output.find("/etc/default/grub, line 1"), std::string::npos) << result.output;
  EXPECT_EQ(sim.view().files.read("/boot/grub2/grub.cfg"), grub_config);
  EXPECT_EQ(run(sim, {"/usr/sbin/grub2-mkconfig", "-o", "/none"}).exit_code, 1);
  EXPECT_EQ(run(sim, {"/usr/sbin/grub2-mkconfig"}).exit_code, 1);
}

TEST(SimCommands, GrubbyEditsEveryEntryAndWhatLaterKernelsAreMadeFrom) {
  SimHost sim(host({{"/boot/loader/entries/m-5.14.0-1.conf",
                     "title A\noptions root=/dev/sda1 ro quiet a=1 a=2 $tuned_params\n"},
                    {"/boot/loader/entries/m-5.14.0-2.conf", "title B\noptions root=/dev/sda1 ro\n"},
                    {"/etc/default/grub", "GRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX=\"quiet rhgb\"\n"},
                    {"/etc/kernel/cmdline", "root=/dev/sda1 ro quiet\n"}},
                   {"/usr/sbin/grubby"}));
  EXPECT_EQ(run(sim, {"/usr/sbin/grubby", "--update-kernel=ALL", "--args=a=3 a=4 b", "--remove-args=quiet"})
                .exit_code,
            0);
  const auto& files = sim.view().files;
  EXPECT_EQ(files.read("/boot/loader/entries/m-5.14.0-1.conf"),
            "title A\noptions root=/dev/sda1 ro $tuned_params a=3 a=4 b\n");
  EXPECT_EQ(files.read("/boot/loader/entries/m-5.14.0-2.conf"),
            "title B\noptions root=/dev/sda1 ro a=3 a=4 b\n");
  EXPECT_EQ(files.read("/etc/default/grub"), "GRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX=\"rhgb a=3 a=4 b\"\n");
  EXPECT_EQ(files.read("/etc/kernel/cmdline"), "root=/dev/sda1 ro a=3 a=4 b\n");
  EXPECT_EQ(run(sim, {"/usr/sbin/grubby", "--update-kernel=DEFAULT", "--args=c"}).exit_code, 1)
      << "not simulated";
}

TEST(SimCommands, GrubbyRemovesAKeyWithAnyValueButAValueOnlyItself) {
  SimHost sim(host({{"/boot/loader/entries/a.conf", "options a=1 ab=1 b=1 b=2\n"}}, {"/usr/sbin/grubby"}));
  EXPECT_EQ(run(sim, {"/usr/sbin/grubby", "--update-kernel=ALL", "--remove-args=a b=2"}).exit_code, 0);
  EXPECT_EQ(sim.view().files.read("/boot/loader/entries/a.conf"), "options ab=1 b=1\n");
}

TEST(SimCommands, ProxmoxBootToolWritesTheCommandLineToTheSystemPartitions) {
  SimHost sim(host({{"/etc/kernel/cmdline", "root=ZFS=rpool/ROOT/pve-1 boot=zfs iommu=pt\n"},
                    {"/etc/kernel/proxmox-boot-uuids", "1A2B-3C4D\n"},
                    {"/proc/cmdline", "initrd=\\EFI\\proxmox\\initrd root=ZFS=rpool/ROOT/pve-1 boot=zfs\n"}},
                   {"/usr/sbin/proxmox-boot-tool"}));
  EXPECT_EQ(run(sim, {"/usr/sbin/proxmox-boot-tool", "refresh"}).exit_code, 0);
  ASSERT_TRUE(sim.reboot());
  EXPECT_EQ(sim.view().files.read("/proc/cmdline"),
            "initrd=\\EFI\\proxmox\\initrd root=ZFS=rpool/ROOT/pve-1 boot=zfs iommu=pt\n");
  EXPECT_EQ(run(sim, {"/usr/sbin/proxmox-boot-tool", "status"}).exit_code, 1) << "not simulated";
}

TEST(SimCommands, WithoutRefreshProxmoxBootsAsBefore) {
  SimHost sim(host({{"/etc/kernel/cmdline", "root=x\n"},
                    {"/etc/kernel/proxmox-boot-uuids", "1A2B-3C4D\n"},
                    {"/proc/cmdline", "root=x\n"}},
                   {"/usr/sbin/proxmox-boot-tool"}));
  ASSERT_TRUE(sim.host().files.replace("/etc/kernel/cmdline", "root=x iommu=pt\n"));
  ASSERT_TRUE(sim.reboot());
  EXPECT_EQ(sim.view().files.read("/proc/cmdline"), "root=x\n");
}

TEST(SimCommands, KernelInstallRewritesTheEntryOfThatKernel) {
  SimHost sim(host({{"/boot/loader/entries/m-6.1.conf", "version 6.1\noptions root=x old\n"},
                    {"/boot/loader/entries/m-6.0.conf", "version 6.0\noptions root=x old\n"},
                    {"/lib/modules/6.1/vmlinuz", ""},
                    {"/etc/kernel/cmdline", "root=x new\n"}},
                   {"/usr/bin/kernel-install"}));
  EXPECT_EQ(run(sim, {"/usr/bin/kernel-install", "add", "6.1", "/lib/modules/6.1/vmlinuz"}).exit_code, 0);
  EXPECT_EQ(sim.view().files.read("/boot/loader/entries/m-6.1.conf"), "version 6.1\noptions root=x new\n");
  EXPECT_EQ(sim.view().files.read("/boot/loader/entries/m-6.0.conf"), "version 6.0\noptions root=x old\n");
  EXPECT_EQ(run(sim, {"/usr/bin/kernel-install", "add", "9.9", "/x"}).exit_code, 1);
}

TEST(SimCommands, AFaultIsNamedByItsProgram) {
  SimHost sim(host({{"/boot/grub/grub.cfg", grub_config}}, {"/usr/sbin/update-grub"}));
  sim.inject("commands.run /usr/sbin/update-grub", 1, {ErrorKind::timed_out, "took too long"});
  EXPECT_EQ(sim.host().commands.run({{"/usr/sbin/update-grub"}}).error().message, "took too long");
  EXPECT_EQ(sim.view().files.read("/boot/grub/grub.cfg"), grub_config);
}

}  // namespace
}  // namespace gpuhost
