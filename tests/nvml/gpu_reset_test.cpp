#include "host/gpu_reset.hpp"

#include <functional>

#include <dlfcn.h>

#include "nvml/fake_driver.hpp"
#include "support/memory_host.hpp"

namespace gpuhost {
namespace {

using testing::a100;

/// nvidia-smi on the library for tests, or what a test puts in its place.
class Tool final : public CommandRunner {
 public:
  std::function<CommandResult()> reset = [] { return CommandResult{0, "All done.\n"}; };
  std::vector<std::string> called;

  Result<CommandResult> run(const Command& command) override {
    called = command.argv;
    return reset();
  }
};

class GpuReset : public testing::OnFakeDriver {
 protected:
  Result<void> reset() {
    auto adapter = gpus();
    auto base = memory.host();
    Host host{.view = {.files = base.view.files,
                       .modules = base.view.modules,
                       .units = base.view.units,
                       .domains = base.view.domains,
                       .processes = base.view.processes,
                       .gpus = adapter,
                       .clock = base.view.clock},
              .files = base.files,
              .modules = base.modules,
              .units = base.units,
              .domains = base.domains,
              .agents = base.agents,
              .gpus = adapter,
              .commands = tool,
              .waiter = base.waiter};
    return reset_gpu(a100, host);
  }
  CommandResult really() const {
    void* const mapped = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    const auto call = reinterpret_cast<int (*)(const char*)>(::dlsym(mapped, "gpuhost_test_reset"));
    const int answer = call("0000:41:00.0");
    ::dlclose(mapped);
    if (answer == 0) return {0, "GPU 00000000:41:00.0 was successfully reset.\nAll done.\n"};
    return {0, "The following GPUs could not be reset:\n  GPU 00000000:41:00.0: In use by another client\n"};
  }
  void leave_pending() {
    with_state([](Json& json) { json["gpus"][0]["held"] = true; });
    EXPECT_EQ(*gpus().set_mig_mode(a100, true), (GpuSwitch{false, true}));
  }
  void let_go() {
    with_state([](Json& json) { json["gpus"][0]["held"] = false; });
  }

  testing::MemoryHost memory;
  Tool tool;
};

TEST_F(GpuReset, BringsAPendingModeIntoEffect) {
  tool.reset = [&] { return really(); };
  leave_pending();
  let_go();
  EXPECT_TRUE(reset());
  EXPECT_EQ(tool.called, (std::vector<std::string>{nvidia_smi, "--gpu-reset", "-i", "0000:41:00.0"}));
  EXPECT_EQ(report().mig->mode, (GpuSwitch{true, true}));
}

TEST_F(GpuReset, ARefusalCountsWhateverTheExitStatus) {
  tool.reset = [&] { return really(); };
  leave_pending();
  const auto refused = reset();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::busy);
  EXPECT_EQ(refused.error().message,
            "cannot reset GPU 0000:41:00.0: GPU 00000000:41:00.0: In use by another client");
}

TEST_F(GpuReset, WhoHoldsItForAMomentIsWaitedFor) {
  leave_pending();
  unsigned tries = 0;
  tool.reset = [&] {
    if (++tries == 3) let_go();
    return really();
  };
  EXPECT_TRUE(reset());
  EXPECT_EQ(tries, 3U);
}

TEST_F(GpuReset, AToolThatDoesNothingIsCaught) {
  leave_pending();
  EXPECT_EQ(reset().error().kind, ErrorKind::mismatch);
}

TEST_F(GpuReset, AGpuThatDoesNotComeBackIsCaught) {
  tool.reset = [&] {
    with_state([](Json& json) { json["gpus"].erase(0); });
    return CommandResult{0, "All done.\n"};
  };
  EXPECT_EQ(reset().error().message, "GPU 0000:41:00.0 was reset, but NVIDIA's driver no longer has it");
}

TEST_F(GpuReset, AFailureWithoutAWordNamesTheStatus) {
  tool.reset = [] { return CommandResult{3, ""}; };
  EXPECT_EQ(reset().error().message, "cannot reset GPU 0000:41:00.0: /usr/bin/nvidia-smi ended with 3");
}

}  // namespace
}  // namespace gpuhost
