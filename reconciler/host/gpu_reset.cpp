#include "host/gpu_reset.hpp"

#include <chrono>

#include <fmt/core.h>

#include "base/text.hpp"

namespace gpuhost {

namespace {

constexpr std::chrono::seconds reset_limit{120};
/// In what nvidia-smi prints; see NVIDIA/mig-parted issue 181.
constexpr std::string_view refusal = "could not be reset";
constexpr std::string_view in_use = "In use";

/// Whoever looks at any GPU has all of them open for a moment, ourselves in other steps included.
constexpr unsigned most_tries = 5;
constexpr std::chrono::seconds pause_between_tries{1};

std::unexpected<Error> refused(const std::string& name, const CommandResult& ran) {
  const auto output = lines(trim(ran.output));
  const auto said = output.empty() ? fmt::format("{} ended with {}", nvidia_smi, ran.exit_code)
                                   : std::string(trim(output.back()));
  return fail(ran.output.contains(in_use) ? ErrorKind::busy : ErrorKind::io,
              fmt::format("cannot reset GPU {}: {}", name, said),
              "end what uses it: guests, compute processes, persistence daemon, monitoring");
}

bool is_settled(const GpuReport& report) {
  const auto settled = [](const GpuSwitch& state) { return state.current == state.pending; };
  return (!report.ecc || settled(*report.ecc)) && (!report.mig || settled(report.mig->mode));
}

}  // namespace

Result<void> reset_gpu(const PciAddress& gpu, Host& host) {
  const auto name = gpu.to_string();
  for (unsigned tries = 1;; ++tries) {
    const auto ran = host.commands.run({{nvidia_smi, "--gpu-reset", "-i", name}, reset_limit});
    if (!ran) return std::unexpected(Error(ran.error()).within(fmt::format("cannot reset GPU {}", name)));
    if (ran->exit_code == 0 && !ran->output.contains(refusal)) break;
    if (!ran->output.contains(in_use) || tries == most_tries) return refused(name, *ran);
    host.waiter.until([] { return false; }, pause_between_tries);
  }
  const auto reports = host.view.gpus.gpus();
  if (!reports) return std::unexpected(Error(reports.error()).within("cannot read back a reset"));
  const auto found = reports->find(gpu);
  if (found == reports->end() || !is_settled(found->second))
    return fail(ErrorKind::mismatch,
                fmt::format("GPU {} was reset, but {}", name,
                            found == reports->end() ? "NVIDIA's driver no longer has it"
                                                    : "what was pending still is"),
                "see the kernel log for NVRM");
  return {};
}

}  // namespace gpuhost
