#include <array>

#include <gtest/gtest.h>

#include "inventory/pci.hpp"
#include "kinds/kernel_arguments.hpp"
#include "kinds/kernel_modules/modprobe_config.hpp"
#include "kinds/kernel_parameters/command_line.hpp"
#include "kinds/kernel_parameters/grub_config.hpp"
#include "kinds/kernel_parameters/grub_defaults.hpp"
#include "kinds/kernel_parameters/grub_drop_in.hpp"
#include "kinds/kernel_parameters/loader_entries.hpp"
#include "kinds/virtualization/processor.hpp"

namespace gpuhost {
namespace {

TEST(KernelArguments, are_read_as_the_kernel_reads_them) {
  const auto words = parse_kernel_arguments("a b=1 c=\"x y\" \"d=p q\" e=\"\" =f -- init=1");
  ASSERT_EQ(words.size(), 6U);
  EXPECT_EQ(words[0].value, std::nullopt);
  EXPECT_EQ(words[1].value, "1");
  EXPECT_EQ(words[2].value, "x y");
  EXPECT_EQ(words[3].key, "d");
  EXPECT_EQ(words[3].value, "p q");
  EXPECT_EQ(words[4].value, "");
  EXPECT_EQ(words[5].key, "=f");
}

TEST(CommandLine, changes_one_key_and_keeps_the_rest_as_written) {
  const CommandLine line("root=/dev/vda1  ro console=tty0 quiet console=ttyS0\n");
  EXPECT_EQ(line.with("console", {"hvc0"}).text(), "root=/dev/vda1  ro console=hvc0 quiet\n");
  EXPECT_EQ(line.with("root", {}).text(), "ro console=tty0 quiet console=ttyS0\n");
  EXPECT_EQ(line.with("console", {}).text(), "root=/dev/vda1  ro quiet\n");
  EXPECT_EQ(line.with("nosmt", {std::nullopt}).text(),
            "root=/dev/vda1  ro console=tty0 quiet console=ttyS0 nosmt\n");
  EXPECT_EQ(CommandLine("ro -- init").with("quiet", {std::nullopt}).text(), "ro quiet -- init");
  EXPECT_EQ(CommandLine("a-b=1").of("a_b"), Occurrences{"1"});
  EXPECT_EQ(CommandLine("quiet\n").with("quiet", {}).text(), "\n");
}

TEST(CommandLine, values_survive_json) {
  for (const auto& values :
       {Occurrences{}, Occurrences{std::nullopt}, Occurrences{"on"}, Occurrences{"a", std::nullopt}})
    EXPECT_EQ(occurrences_from(json_of(values)), values);
}

TEST(GrubDropIn, has_the_agreed_shape_and_reads_itself_back) {
  GrubDropIn drop_in;
  drop_in.set("quiet", {});
  drop_in.set("intel_iommu", {"on"});
  EXPECT_EQ(drop_in.render(),
            "# Written by gpuhost for the documents that own these parameters; edit the documents instead.\n"
            "# key: intel_iommu=on\n"
            "# absent: quiet\n"
            "set -f\n"
            "gpuhost_words=\n"
            "for gpuhost_word in $GRUB_CMDLINE_LINUX; do\n"
            "  case $gpuhost_word in\n"
            "    intel_iommu|intel_iommu=*|intel-iommu|intel-iommu=*|quiet|quiet=*) ;;\n"
            "    *) gpuhost_words=\"$gpuhost_words $gpuhost_word\" ;;\n"
            "  esac\n"
            "done\n"
            "GRUB_CMDLINE_LINUX=\"$gpuhost_words\"\n"
            "gpuhost_words=\n"
            "for gpuhost_word in $GRUB_CMDLINE_LINUX_DEFAULT; do\n"
            "  case $gpuhost_word in\n"
            "    intel_iommu|intel_iommu=*|intel-iommu|intel-iommu=*|quiet|quiet=*) ;;\n"
            "    *) gpuhost_words=\"$gpuhost_words $gpuhost_word\" ;;\n"
            "  esac\n"
            "done\n"
            "GRUB_CMDLINE_LINUX_DEFAULT=\"$gpuhost_words intel_iommu=on\"\n"
            "set +f\n");
  const auto again = GrubDropIn::parse(drop_in.render());
  EXPECT_TRUE(again.intact());
  EXPECT_EQ(again.find("intel-iommu")->values, Occurrences{"on"});
  EXPECT_TRUE(again.find("quiet")->values.empty());
  EXPECT_FALSE(GrubDropIn::parse(drop_in.render() + "x\n").intact());
}

TEST(GrubDefaults, are_evaluated_without_a_shell_or_not_at_all) {
  const auto line = [](const char* text) { return grub_command_line(std::array{std::string(text)}); };
  EXPECT_EQ(line("GRUB_CMDLINE_LINUX=\"a\"\nGRUB_CMDLINE_LINUX_DEFAULT='b c' # x\n")->text(), "a b c");
  EXPECT_EQ(line("X=1\nGRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX a${X}\"\n")->text(), "a1");
  EXPECT_FALSE(line("GRUB_CMDLINE_LINUX=\"$(cat /x)\"\n"));
  EXPECT_FALSE(line("GRUB_CMDLINE_LINUX+=\" a\"\n"));
  EXPECT_FALSE(line("if true; then GRUB_CMDLINE_LINUX=\"a\"; fi\n"));
}

TEST(GrubDefaults, are_edited_in_place_or_refused) {
  EXPECT_EQ(
      *edit_grub_defaults("A=1\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet splash\"\nGRUB_CMDLINE_LINUX=\n# end",
                          "quiet", {std::nullopt}),
      "A=1\nGRUB_CMDLINE_LINUX_DEFAULT=\"splash\"\nGRUB_CMDLINE_LINUX=\"quiet\"\n# end");
  EXPECT_EQ(*edit_grub_defaults("A=1", "x", {"1"}), "A=1\nGRUB_CMDLINE_LINUX=\"x=1\"\n");
  EXPECT_FALSE(edit_grub_defaults("GRUB_CMDLINE_LINUX=\"$OTHER\"\n", "x", {"1"}));
  EXPECT_FALSE(edit_grub_defaults("GRUB_CMDLINE_LINUX=\"a\\\"b\"\n", "x", {"1"}));
  EXPECT_FALSE(edit_grub_defaults("", "x", {"$(reboot)"}));
}

TEST(GrubConfig, yields_linux_entries_without_recovery_memtest_and_other_systems) {
  const auto entries = parse_grub_config(
      "menuentry 'A' $menuentry_id_option 'gnulinux-simple-1' {\n\tlinux /vmlinuz-1 ro \"dyndbg=file x +p\" "
      "$vt_handoff\n}\n"
      "menuentry 'A (recovery mode)' {\n linux /vmlinuz-1 single\n}\n"
      "menuentry 'M' {\n linux /boot/memtest86+x64.bin\n}\n"
      "menuentry 'W' {\n chainloader +1\n}\n"
      "menuentry 'O' $menuentry_id_option 'osprober-gnulinux-2' {\n linux /vmlinuz-2\n}\n");
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].title, "A");
  EXPECT_EQ(entries[0].command_line.of("dyndbg"), Occurrences{"file x +p"});
}

TEST(LoaderEntries, take_variables_from_the_environment_block) {
  const auto variables =
      parse_grub_environment("# GRUB Environment Block\nkernelopts=root=/dev/vda1 ro\n####");
  EXPECT_EQ(
      parse_loader_entry("title T\noptions $kernelopts $tuned_params quiet\n", variables).command_line.text(),
      "root=/dev/vda1 ro quiet");
  EXPECT_TRUE(newer_version("a-5.14.0-70.conf", "a-5.14.0-9.conf"));
  EXPECT_FALSE(newer_version("a", "a"));
}

TEST(ModprobeConfig, merges_lines_and_continuations) {
  ModprobeConfig config;
  config.add("# c\noptions vfio-pci ids=10de:20b0 \\\n disable_idle_d3=Y\ninstall nouveau /bin/true\n", "a");
  config.add("options vfio_pci disable_idle_d3=0\nblacklist nouveau\ninstall nouveau /bin/false\n", "b");
  EXPECT_EQ(config.options["vfio_pci"]["ids"], "10de:20b0");
  EXPECT_EQ(config.options["vfio_pci"]["disable_idle_d3"], "0");
  EXPECT_EQ(config.install["nouveau"].file, "a");
  EXPECT_TRUE(config.blocks("nouveau"));
  EXPECT_FALSE(config.blocks("vfio_pci"));
}

TEST(Cpuinfo, tells_the_extension_of_the_first_processor) {
  const auto processor =
      parse_cpuinfo("vendor_id\t: AuthenticAMD\nflags\t\t: fpu svm hypervisor\n\nflags : vmx\n");
  EXPECT_EQ(processor.extension, Processor::Extension::amd_v);
  EXPECT_TRUE(processor.under_hypervisor);
  EXPECT_FALSE(parse_cpuinfo("Features : fp asimd\n").lists_flags);
}

TEST(PciConfigSpace, tells_capabilities_only_to_those_who_saw_it_all) {
  std::string config(4096, '\0');
  EXPECT_EQ(has_extended_capability(config.substr(0, 64), 0x0e), std::nullopt);
  EXPECT_EQ(has_extended_capability(config, 0x0e), false);
  const auto put = [&](std::size_t at, std::uint32_t word) {
    for (std::size_t i = 0; i < 4; ++i) config[at + i] = static_cast<char>(word >> (8 * i));
  };
  put(0x100, 0x14010001);  // advanced error reporting, next at 0x140
  put(0x140, 0x1000000e);  // ARI, next back at 0x100
  EXPECT_EQ(has_extended_capability(config, 0x0e), true);
  EXPECT_EQ(has_extended_capability(config, 0x10), false) << "a list in a circle ends";
}

TEST(GrubConfig, with_a_torn_section_mark_is_read_on) {
  EXPECT_TRUE(parse_grub_config("### BEGIN \n### BEGIN\n###\n").empty());
  EXPECT_EQ(parse_grub_config("menuentry 'a' {\n linux /vmlinuz ro\n}\n### BEGIN ").size(), 1U);
}

}  // namespace
}  // namespace gpuhost
