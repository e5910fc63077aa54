#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/functions/kind.hpp"
#include "kinds/gpu_ownership.hpp"

namespace gpuhost {

namespace {

constexpr std::chrono::seconds tool_limit{120};
/// Functions come up one after another, and their vGPU types once nvidia-vgpud has seen them.
constexpr std::chrono::seconds settle_limit{60};
/// The tool gives up at once while any process has the driver open for a moment; trying again is the cure.
constexpr unsigned most_tries = 5;
constexpr std::chrono::seconds pause_between_tries{1};
constexpr std::string_view lock_is_taken = "Cannot obtain unbindLock";
constexpr std::size_t most_lacks_shown = 3;

/// The GPU as it is now.
Result<Gpu> gpu_of(const StepAction& action, const HostView& host) {
  const auto text = action.arguments.is_object() ? action.arguments.value("gpu", Json()) : Json();
  const auto address = text.is_string() ? PciAddress::parse(text.get<std::string>()) : std::nullopt;
  if (!address) return fail(ErrorKind::invalid, fmt::format("the step for {} names no GPU", action.address));
  const auto inventory = inventory_of(host);
  if (!*inventory) return std::unexpected(inventory->error());
  const auto* gpu = (**inventory).find(*address);
  if (gpu == nullptr)
    return fail(ErrorKind::unavailable, fmt::format("GPU {} is not there any more", address->to_string()));
  return *gpu;
}

/// Both ways take the functions that are there, and what is on them.
Result<void> check_without_vgpus(const Gpu& gpu, const HostView& host) {
  const auto busy = [&](std::string what) {
    return fail(ErrorKind::busy, fmt::format("GPU {} has {}", gpu.address.to_string(), what), "plan again");
  };
  if (!gpu.mediated_devices.empty()) return busy("the vGPU " + gpu.mediated_devices.front().uuid.to_string());
  for (const auto& function : gpu.functions)
    if (function.vgpu_type != 0) return busy("a vGPU on " + function.address.to_string());
  return check_unused(gpu, host);
}

/// Another client of the driver holds its lock for a moment at a time: a pause between tries lets it finish.
Result<void> run_tool(const char* option, const Gpu& gpu, Host& host) {
  const Command command{{sriov_manage, option, gpu.address.to_string()}, tool_limit};
  const auto shown = join(command.argv, " ");
  for (unsigned tries = 1;; ++tries) {
    auto result = host.commands.run(command);
    if (!result)
      return std::unexpected(std::move(result).error().within(fmt::format("cannot run '{}'", shown)));
    const bool locked = result->output.contains(lock_is_taken);
    if (locked && tries < most_tries) {
      host.waiter.until([] { return false; }, pause_between_tries);
      continue;
    }
    if (result->exit_code == 0 && !locked) return {};
    const auto output = lines(trim(result->output));
    return fail(locked ? ErrorKind::busy : ErrorKind::io,
                fmt::format("'{}' ended with {}{}{}", shown, result->exit_code, output.empty() ? "" : ": ",
                            output.empty() ? std::string_view{} : output.back()),
                locked ? "end what uses NVIDIA's driver, such as monitoring, and apply again"
                       : "run it by hand to see all of its output; it needs the module pci-pf-stub, which "
                         "Ubuntu has in linux-modules-extra");
  }
}

Result<void> disable(const StepAction& action, const Gpu& gpu, Host& host) {
  if (auto ran = run_tool("-d", gpu, host); !ran) return ran;
  const bool gone = host.waiter.until(
      [&] {
        const auto now = gpu_of(action, host.view);
        return now && now->functions.empty();
      },
      settle_limit);
  if (gone) return {};
  return fail(
      ErrorKind::timed_out,
      fmt::format("GPU {} still has virtual functions after '{} -d'", gpu.address.to_string(), sriov_manage),
      "see the kernel log for " + gpu.address.to_string());
}

std::unexpected<Error> incomplete(const Gpu& gpu, const std::vector<std::string>& lacks) {
  auto shown = lacks;
  shown.resize(std::min(shown.size(), most_lacks_shown));
  if (lacks.size() > shown.size()) shown.push_back(fmt::format("{} more", lacks.size() - shown.size()));
  const bool types =
      std::ranges::any_of(lacks, [](const std::string& lack) { return lack.ends_with("has no vGPU types"); });
  return fail(ErrorKind::timed_out,
              fmt::format("the virtual functions of GPU {} did not come up in time: {}",
                          gpu.address.to_string(), join(shown, "; ")),
              types ? "is nvidia-vgpud.service running? It gives functions their vGPU types; see its log"
                    : "see the kernel log for the address of the function");
}

Result<void> enable(const StepAction& action, const Gpu& gpu, Host& host) {
  // The kernel takes no number of functions while it has another one.
  if (!gpu.functions.empty())
    if (auto cleared = disable(action, gpu, host); !cleared) return cleared;
  if (auto ran = run_tool("-e", gpu, host); !ran) return ran;
  // The tool has been seen to end with 0 although functions were missing: what is there is what counts.
  std::vector<std::string> lacks;
  const auto complete = [&] {
    const auto now = gpu_of(action, host.view);
    lacks = now ? lacks_of(*now, vgpu_interfaces_of(*now, host.view))
                : std::vector<std::string>{now.error().message};
    return lacks.empty();
  };
  if (host.waiter.until(complete, settle_limit)) return {};
  return incomplete(gpu, lacks);
}

}  // namespace

Result<bool> Functions::satisfied(const StepAction& action, const HostView& host) const {
  if (action.verb == forget_verb) return true;
  const auto gpu = gpu_of(action, host);
  if (!gpu) return std::unexpected(gpu.error());
  if (action.verb == "disable") return gpu->functions.empty();
  return has_sriov(*gpu) && lacks_of(*gpu, vgpu_interfaces_of(*gpu, host)).empty();
}

Result<std::optional<Undo>> Functions::undo_of(const StepAction& action, const HostView& host) const {
  Undo back{action};
  if (action.verb == forget_verb) return back;
  const auto gpu = gpu_of(action, host);
  if (!gpu) return std::unexpected(gpu.error());
  if (gpu->functions.empty()) {
    back.action.verb = "disable";
    return back;
  }
  // NVIDIA's tool makes all of them or none.
  if (!has_sriov(*gpu) || !lacks_of(*gpu, vgpu_interfaces_of(*gpu, host)).empty()) return std::nullopt;
  back.action.verb = "enable";
  return back;
}

Result<void> Functions::run(const StepAction& action, Host& host) const {
  const auto gpu = gpu_of(action, host.view);
  if (!gpu) return std::unexpected(gpu.error());
  if (action.verb != "enable" && action.verb != "disable")
    return fail(ErrorKind::unsupported, fmt::format("no step '{}' for {}", action.verb, action.address));
  if (auto unused = check_without_vgpus(*gpu, host.view); !unused) return unused;
  if (action.verb == "enable") return enable(action, *gpu, host);
  return disable(action, *gpu, host);
}

}  // namespace gpuhost
