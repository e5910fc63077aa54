#include <gmock/gmock.h>

#include "kinds/kernel_parameters/grub_config.hpp"
#include "kinds/kernel_parameters/grub_trial.hpp"
#include "kinds/one_pass.hpp"

// What GRUB keeps while it tries changed entries, and where it cannot.

namespace gpuhost::testing {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* custom_config = "/boot/grub/custom.cfg";
constexpr const char* environment = "/boot/grub/grubenv";
constexpr const char* this_boot = "9e2f7f64-2f0b-4f8a-8a54-0b1f3f0f6c11";
const GrubTrialFiles where{"/boot/grub", "/usr/bin/grub-editenv"};

std::string menu(const std::string& words) {
  return "### BEGIN /etc/grub.d/10_linux ###\n"
         "menuentry 'Debian' --class debian $menuentry_id_option 'simple' {\n"
         "\tsavedefault\n\tinsmod ext2\n\tlinux /boot/vmlinuz-6.1 root=/dev/sda1 ro " +
         words +
         " $vt_handoff\n\tinitrd /boot/initrd.img-6.1\n}\n"
         "### BEGIN /etc/grub.d/41_custom ###\n"
         "if [ -f ${config_directory}/custom.cfg ]; then\n  source ${config_directory}/custom.cfg\nfi\n";
}

FakeHost host() {
  FakeHost made;
  made.files["/proc/cmdline"] = "BOOT_IMAGE=/boot/vmlinuz-6.1 root=/dev/sda1 ro quiet vt.handoff=7\n";
  made.files["/proc/sys/kernel/random/boot_id"] = std::string(this_boot) + "\n";
  made.files["/proc/self/mountinfo"] =
      "23 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
      "24 23 0:5 / /dev rw - devtmpfs udev rw\n"
      "25 23 8:2 / /boot/efi rw - vfat /dev/sda2 rw\n";
  made.files["/usr/bin/grub-editenv"] = "";
  made.files[environment] = "# GRUB Environment Block\n####";
  return made;
}

Result<BootTrial> look(const FakeHost& host, const std::string& config = menu("quiet")) {
  return look_at_grub_trial(where, config, host.view());
}

std::string why_not(const FakeHost& host, const std::string& config = menu("quiet")) {
  const auto trial = look(host, config);
  return trial ? "" : trial.error().message;
}

TEST(GrubTrial, keeps_the_entry_that_runs_and_nothing_that_grub_would_remember) {
  const auto trial = look(host());
  ASSERT_TRUE(trial && trial->to_keep) << trial.error().message;
  EXPECT_EQ(trial->state, BootTrial::State::none);
  EXPECT_EQ(trial->to_keep->title, "Debian");
  EXPECT_THAT(trial->to_keep->text,
              AllOf(StartsWith("# gpuhost: begin"), EndsWith("# gpuhost: end\n"),
                    HasSubstr("\tlinux /boot/vmlinuz-6.1 root=/dev/sda1 ro quiet $vt_handoff\n"),
                    HasSubstr("--id gpuhost-fallback"), Not(HasSubstr("savedefault"))));
}

TEST(GrubTrial, knows_no_entry_to_keep_when_what_runs_is_none) {
  for (const char* running : {"BOOT_IMAGE=/boot/vmlinuz-6.1 root=/dev/sda1 ro quiet single",
                              "BOOT_IMAGE=/boot/vmlinuz-6.0 root=/dev/sda1 ro quiet", "ro quiet"}) {
    auto made = host();
    made.files["/proc/cmdline"] = running;
    const auto trial = look(made);
    ASSERT_TRUE(trial);
    EXPECT_FALSE(trial->to_keep) << running;
  }
}

TEST(GrubTrial, cannot_be_where_grub_does_not_read_or_write_what_it_takes) {
  EXPECT_EQ(why_not(host()), "");
  EXPECT_THAT(why_not(host(), "menuentry 'Debian' {\n linux /vmlinuz\n}\n"), HasSubstr("41_custom"));
  for (const char* path : {"/usr/bin/grub-editenv", environment}) {
    auto made = host();
    made.files.erase(path);
    EXPECT_THAT(why_not(made), HasSubstr(std::string(path) + " is not there"));
  }

  const auto boot_on = [](const std::string& line) {
    auto mounted = host();
    mounted.files["/proc/self/mountinfo"] += line;
    return mounted;
  };
  EXPECT_THAT(why_not(boot_on("26 23 0:30 /@boot /boot rw - btrfs /dev/sda3 rw\n")), HasSubstr("on btrfs"));
  EXPECT_EQ(why_not(boot_on("26 23 0:30 / /boot/grub2 rw - btrfs /dev/sda3 rw\n")), "") << "another place";
  EXPECT_EQ(why_not(boot_on("26 23 8:3 / /boot rw - ext2 /dev/sda3 rw\n")), "");
  for (const char* folder : {"dm", "md"}) {
    auto mapped = boot_on("26 23 253:1 / /boot rw - ext4 /dev/mapper/vg-boot rw\n");
    mapped.directories.insert(std::string("/sys/dev/block/253:1/") + folder);
    EXPECT_THAT(why_not(mapped), HasSubstr(folder == std::string("dm") ? "LVM" : "RAID"));
  }
  auto unreadable = host();
  unreadable.errors["/proc/self/mountinfo"] = {ErrorKind::io, "cannot read /proc/self/mountinfo"};
  EXPECT_THAT(why_not(unreadable), HasSubstr("cannot read /proc/self/mountinfo"));
}

TEST(GrubTrial, stands_in_custom_config_beside_what_is_there) {
  auto made = host();
  const std::string others = "menuentry 'memory test' {\n linux16 /memtest\n}\n";
  made.files[custom_config] = others;
  const auto kept = look(made)->to_keep->text;
  auto port = made.host();
  ASSERT_TRUE(set_grub_trial(where, kept, true, port));
  EXPECT_EQ(made.files[custom_config], others + kept);
  EXPECT_EQ(made.commands.back(),
            std::string("/usr/bin/grub-editenv /boot/grub/grubenv set gpuhost_try=") + this_boot);
  ASSERT_TRUE(set_grub_trial(where, kept, true, port));
  EXPECT_EQ(made.files[custom_config], others + kept) << "once";
  ASSERT_TRUE(set_grub_trial(where, "", false, port));
  EXPECT_EQ(made.files[custom_config], others);
  EXPECT_EQ(made.commands.back(), "/usr/bin/grub-editenv /boot/grub/grubenv unset gpuhost_try");

  made.files.erase(custom_config);
  ASSERT_TRUE(set_grub_trial(where, kept, true, port));
  ASSERT_TRUE(set_grub_trial(where, "", false, port));
  EXPECT_FALSE(made.files.contains(custom_config));
}

TEST(GrubTrial, is_told_by_the_environment_block) {
  auto made = host();
  made.files[custom_config] = look(made)->to_keep->text;
  const auto state = [&](const std::string& block) {
    made.files[environment] = "# GRUB Environment Block\n" + block + "####";
    return look(made)->state;
  };
  EXPECT_EQ(state(std::string("gpuhost_try=") + this_boot + "\n"), BootTrial::State::to_come);
  EXPECT_EQ(state("gpuhost_try=00000000-2f0b-4f8a-8a54-0b1f3f0f6c11\n"), BootTrial::State::not_taken);
  EXPECT_EQ(state("gpuhost_try=\n"), BootTrial::State::over);
  EXPECT_EQ(state(""), BootTrial::State::over);
  EXPECT_EQ(look(made)->kept.command_line.text(), "root=/dev/sda1 ro quiet");
}

TEST(GrubTrial, that_failed_is_what_the_next_one_keeps) {
  auto made = host();
  made.files[custom_config] = look(made)->to_keep->text;
  const auto again = look(made, menu("quiet iommu=pt"));
  ASSERT_TRUE(again && again->to_keep);
  EXPECT_EQ(again->to_keep->text, made.files[custom_config]);
}

}  // namespace
}  // namespace gpuhost::testing
