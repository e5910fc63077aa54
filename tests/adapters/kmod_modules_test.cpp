#include "host/real/kmod_modules.hpp"

#include <filesystem>

#include <gtest/gtest.h>
#include <sys/utsname.h>

#include "adapters/scratch_directory.hpp"
#include "host/real/child_commands.hpp"
#include "host/real/linux_files.hpp"
#include "host/real/proc_modules.hpp"

namespace gpuhost {
namespace {

namespace fs = std::filesystem;
using testing::ScratchDirectory;

TEST(ProcModules, names_use_counts_and_users) {
  const auto modules = parse_proc_modules(
      "nvidia_uvm 1536000 4 - Live 0x0000000000000000 (POE)\n"
      "nvidia 56000000 1293 nvidia_uvm,nvidia_modeset, Live 0xffffffffc0a00000 (POE)\n"
      "permanent 100 1 [permanent], Live 0x0\n"
      "coming 100 1 - Loading 0x0\n"
      "going 100 -1 - Unloading 0x0\n");
  ASSERT_TRUE(modules) << modules.error().message;
  const std::map<std::string, LoadedModule> expected{
      {"nvidia", {1293, {"nvidia_modeset", "nvidia_uvm"}}}, {"nvidia_uvm", {4, {}}}, {"permanent", {1, {}}}};
  EXPECT_EQ(*modules, expected);
}

TEST(ProcModules, a_kernel_that_cannot_unload_prints_no_count) {
  EXPECT_EQ(parse_proc_modules("kvm 100 - - Live 0x0\n").value().at("kvm"), LoadedModule{});
}

TEST(ProcModules, no_modules_are_no_error) {
  EXPECT_TRUE(parse_proc_modules("").value().empty());
}

TEST(ProcModules, a_line_of_another_shape_is_an_error_that_shows_it) {
  for (const auto* line : {"nvidia", "nvidia 1 x - Live 0x0", "nvidia 1 2 -"}) {
    const auto modules = parse_proc_modules(line);
    ASSERT_FALSE(modules) << line;
    EXPECT_NE(modules.error().message.find(line), std::string::npos);
  }
}

/// A folder of modules as depmod leaves it, and a host that has module support.
class KmodModulesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    host_.write("/proc/modules", "taken 100 2 user_b,user_a, Live 0x0\nopen_file 100 3 - Live 0x0\n");
    fs::create_directories(host_.path("/modprobe.d"));
    fs::create_directories(host_.path(folder_ + "/kernel"));
    for (const auto* name : {"/kernel/fake_gpu.ko", "/kernel/fake-dashed.ko"})
      fs::copy_file(GPUHOST_FAKE_MODULE, host_.path(folder_ + name));
    host_.write(folder_ + "/modules.builtin", "kernel/drivers/built_in.ko\n");
    host_.write(folder_ + "/modules.order", "");
    using namespace std::string_literals;
    host_.write(folder_ + "/modules.builtin.modinfo",
                "built_in.file=drivers/built_in\0built_in.parmtype=delay:uint\0"s);
    if (!fs::exists("/usr/sbin/depmod")) GTEST_SKIP() << "depmod is not installed (package kmod)";
    const auto indexed = ChildCommands().run({{"/usr/sbin/depmod", "-b", host_.path(), "1.0"}});
    ASSERT_TRUE(indexed && indexed->exit_code == 0) << (indexed ? indexed->output : indexed.error().message);
  }

  const std::string folder_ = "/lib/modules/1.0";
  ScratchDirectory host_;
  LinuxFiles files_{host_.path()};
  KmodModules modules_{files_, {host_.path("/lib/modules/1.0"), {host_.path("/modprobe.d")}}};
};

TEST_F(KmodModulesTest, tells_version_and_parameters_of_a_module) {
  const auto found = modules_.available("fake_gpu");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(*found, (ModuleFile{false, "570.1", {"enable_rate", "quiet_mode"}}));
}

TEST_F(KmodModulesTest, dash_and_underscore_are_the_same_in_names) {
  EXPECT_TRUE(modules_.available("fake-gpu"));
  EXPECT_TRUE(modules_.available("fake_dashed"));
  EXPECT_TRUE(modules_.available("fake-dashed"));
}

TEST_F(KmodModulesTest, a_built_in_module_is_available_with_its_parameters) {
  const auto found = modules_.available("built-in");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(*found, (ModuleFile{true, "", {"delay"}}));
}

TEST_F(KmodModulesTest, a_built_in_module_counts_as_loaded_by_load) {
  EXPECT_TRUE(modules_.load("built_in"));
}

TEST_F(KmodModulesTest, a_module_that_the_kernel_has_not_is_not_found) {
  const auto found = modules_.available("nvidia");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::not_found);
  EXPECT_EQ(modules_.load("nvidia").error().kind, ErrorKind::not_found);
}

TEST_F(KmodModulesTest, an_alias_is_no_module) {
  host_.write("/modprobe.d/alias.conf", "alias other_name fake_gpu\n");
  EXPECT_EQ(modules_.available("other_name").error().kind, ErrorKind::not_found);
}

TEST_F(KmodModulesTest, an_install_line_blocks_loading_and_no_shell_runs_it) {
  host_.write("/modprobe.d/block.conf", "install fake_gpu /bin/touch " + host_.path("/ran") + "\n");
  const auto loaded = modules_.load("fake_gpu");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().kind, ErrorKind::unsupported);
  EXPECT_EQ(loaded.error().message,
            "cannot load module fake_gpu: an install line in modprobe.d stands in place of fake_gpu");
  EXPECT_FALSE(fs::exists(host_.path("/ran")));
}

TEST_F(KmodModulesTest, an_install_line_does_not_keep_a_module_from_being_loaded_again) {
  host_.write("/modprobe.d/block.conf", "install fake_gpu /bin/false\n");
  // It gets as far as the kernel, which has no use for this file.
  EXPECT_EQ(modules_.load_again("fake_gpu").error().message.find("install line"), std::string::npos);
}

TEST_F(KmodModulesTest, modprobe_d_is_read_anew_by_each_call) {
  host_.write("/modprobe.d/block.conf", "install fake_gpu /bin/false\n");
  EXPECT_EQ(modules_.load("fake_gpu").error().kind, ErrorKind::unsupported);
  host_.write("/modprobe.d/block.conf", "");
  // What the kernel says to a file that is no module of its own, or that it takes no modules, is no refusal
  // of ours.
  EXPECT_EQ(modules_.load("fake_gpu").error().message.find("install line"), std::string::npos);
}

TEST_F(KmodModulesTest, unloading_what_is_not_loaded_is_done) {
  EXPECT_TRUE(modules_.unload("fake-gpu"));
}

TEST_F(KmodModulesTest, loaded_modules_come_from_the_kernel) {
  EXPECT_EQ(modules_.loaded().value().at("taken"), (LoadedModule{2, {"user_a", "user_b"}}));
}

TEST(KmodModules, without_the_kernels_folder_nothing_can_be_told_about_a_module) {
  const ScratchDirectory host;
  const LinuxFiles files(host.path());
  const KmodModules modules(files, {host.path("/lib/modules/1.0"), {}});
  const auto found = modules.available("nvidia");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::unsupported);
  EXPECT_FALSE(found.error().advice.empty());
}

TEST(KmodModules, a_kernel_without_module_support_is_unsupported_with_that_reason) {
  const ScratchDirectory host;
  const LinuxFiles files(host.path());
  KmodModules modules(files);
  EXPECT_EQ(modules.loaded().error().kind, ErrorKind::unsupported);
  EXPECT_EQ(modules.loaded().error().message,
            "the running kernel has no support for modules (there is no /proc/modules)");
  EXPECT_EQ(modules.unload("nvidia").error().kind, ErrorKind::unsupported);
}

TEST(KmodModules, this_machine_tells_its_modules_or_why_not) {
  const LinuxFiles files("/");
  const KmodModules modules(files);
  const auto loaded = modules.loaded();
  if (fs::exists("/proc/modules"))
    EXPECT_TRUE(loaded) << loaded.error().message;
  else
    EXPECT_EQ(loaded.error().kind, ErrorKind::unsupported);
}

}  // namespace
}  // namespace gpuhost
