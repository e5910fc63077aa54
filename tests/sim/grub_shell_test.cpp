#include "host/sim/grub_shell.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

namespace gpuhost {
namespace {

constexpr const char* drop_in =
    R"(# Written by gpuhost for the documents that own these parameters; edit the documents instead.
# key: intel_iommu=on
# absent: quiet
set -f
gpuhost_words=
for gpuhost_word in $GRUB_CMDLINE_LINUX; do
  case $gpuhost_word in
    quiet|quiet=*|intel_iommu|intel_iommu=*|intel-iommu|intel-iommu=*) ;;
    *) gpuhost_words="$gpuhost_words $gpuhost_word" ;;
  esac
done
GRUB_CMDLINE_LINUX="$gpuhost_words"
gpuhost_words=
for gpuhost_word in $GRUB_CMDLINE_LINUX_DEFAULT; do
  case $gpuhost_word in
    quiet|quiet=*|intel_iommu|intel_iommu=*|intel-iommu|intel-iommu=*) ;;
    *) gpuhost_words="$gpuhost_words $gpuhost_word" ;;
  esac
done
GRUB_CMDLINE_LINUX_DEFAULT="$gpuhost_words intel_iommu=on iommu=pt"
set +f
)";

/// What /bin/sh makes of the script, as "LINUX|DEFAULT".
std::string real_shell(const std::string& script) {
  const std::string path = testing::TempDir() + "gpuhost_grub_shell_" + std::to_string(::getpid());
  std::ofstream(path) << script
                      << "\nprintf '%s|%s' \"$GRUB_CMDLINE_LINUX\" \"$GRUB_CMDLINE_LINUX_DEFAULT\"\n";
  const auto close = [](FILE* pipe) { ::pclose(pipe); };
  const std::unique_ptr<FILE, decltype(close)> pipe(::popen(("cd / && /bin/sh " + path).c_str(), "r"), close);
  std::string output;
  std::array<char, 4096> buffer{};
  while (const auto count = std::fread(buffer.data(), 1, buffer.size(), pipe.get()))
    output.append(buffer.data(), count);
  std::remove(path.c_str());
  return output;
}

std::string simulated(const std::string& script) {
  GrubShell shell;
  const auto run = shell.run("test", script);
  if (!run) return run.error().message;
  return shell.value("GRUB_CMDLINE_LINUX") + "|" + shell.value("GRUB_CMDLINE_LINUX_DEFAULT");
}

class SameAsSh : public ::testing::TestWithParam<std::string> {};

TEST_P(SameAsSh, GivesTheSameCommandLine) {
  EXPECT_EQ(simulated(GetParam()), real_shell(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(
    GrubShell, SameAsSh,
    testing::Values(
        "", "GRUB_CMDLINE_LINUX=quiet", "GRUB_CMDLINE_LINUX=\n",
        "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet splash\"", "GRUB_CMDLINE_LINUX='a $b \"c\" \\'  # comment",
        "GRUB_CMDLINE_LINUX=a'b c'\"d e\"f\\ g", "GRUB_CMDLINE_LINUX=\"a \\\"b c\\\" \\$x \\\\ \\n\"",
        "A=one\nB=${A}_two\nGRUB_CMDLINE_LINUX=\"$A $B $NEVER_SET.\"", "GRUB_CMDLINE_LINUX=\"a\nb\"",
        "GRUB_CMDLINE_LINUX=\"a \\\n b\"", "  GRUB_CMDLINE_LINUX=a#b ; GRUB_CMDLINE_LINUX_DEFAULT=c",
        "A=1 GRUB_CMDLINE_LINUX=$A", "# only\n\n#comments", "GRUB_CMDLINE_LINUX=console=ttyS0,115200n8",
        "GRUB_DISTRIBUTOR=`echo Debian | cat`\nGRUB_X=\"$(echo $(echo y))\"\nGRUB_CMDLINE_LINUX=z",
        std::string("GRUB_CMDLINE_LINUX=\"a quiet intel-iommu=off  b*\"\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet "
                    "intel_iommu=off "
                    "x=[y]\"\n") +
            drop_in,
        std::string("GRUB_CMDLINE_LINUX=\"\tquietly\n quiet=1\"\n") + drop_in + drop_in,
        std::string(drop_in)));

class Refused : public ::testing::TestWithParam<std::string> {};

TEST_P(Refused, IsAnErrorWithTheLine) {
  GrubShell shell;
  const auto run = shell.run("/etc/default/grub", GetParam());
  ASSERT_FALSE(run) << shell.value("GRUB_CMDLINE_LINUX");
  EXPECT_EQ(run.error().kind, ErrorKind::invalid);
  EXPECT_TRUE(run.error().message.starts_with("cannot interpret /etc/default/grub, line "))
      << run.error().message;
}

INSTANTIATE_TEST_SUITE_P(
    GrubShell, Refused,
    testing::Values("if [ -f /x ]; then A=1; fi", "echo hello", "A=\"not closed", "A='not closed", "A=`x",
                    "A=$(x", "A=`date`\nGRUB_CMDLINE_LINUX=$A", "A=${B:-c}", "A=x & B=y", "A=(a b)", "A=~/x",
                    "A+=b", "set -e", "set -f x", "for w in a b; do\ndone",
                    "B=\"a*\"\nK=\nfor w in $B; do\ncase $w in\nx) ;;\n*) K=\"$K $w\" ;;\nesac\ndone",
                    "for w in $A; do\ncase $w in\n\"x\") ;;\n*) K=\"$K $w\" ;;\nesac\ndone",
                    "for w in $A; do\ncase $w in\nx) ;;\n*) K=\"$w\" ;;\nesac\ndone", "A=1 echo x",
                    ". /etc/other"));

TEST(GrubShell, NamesTheFileAndTheLineOfAProblem) {
  GrubShell shell;
  EXPECT_EQ(shell.run("f.cfg", "A=1\n\nif true\n").error().message,
            "cannot interpret f.cfg, line 3: only assignments and gpuhost's own loop are understood");
}

}  // namespace
}  // namespace gpuhost
