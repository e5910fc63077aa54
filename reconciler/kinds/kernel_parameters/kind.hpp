#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/kind.hpp"
#include "kinds/kernel_parameters/boot_loader.hpp"
#include "kinds/kernel_parameters/kernel_parameters.hpp"

namespace gpuhost {

struct KernelParametersState {
  /// Nothing: no kernel of the host runs.
  std::optional<Result<CommandLine>> running;
  /// Nothing: no boot loader that gpuhost knows.
  std::optional<BootSetup> boot;

  [[nodiscard]] Json describe() const;
  /// Precondition: nothing of these is unknown. On a host where no kernel runs nothing is to be waited for.
  [[nodiscard]] bool runs_with(std::string_view key, const Occurrences& values) const {
    return !running || (**running).of(key) == values;
  }
};

/// A key in the configuration is as this change wants it; only building the entries may be missing.
[[nodiscard]] bool is_staged(const BootSetup& boot, const ParameterChange& change);
/// Every entry has these values for the key. Precondition: the entries are known.
[[nodiscard]] bool entries_agree(const BootSetup& boot, std::string_view key, const Occurrences& values);

/// What is true of the running kernel once these values are on its command line.
[[nodiscard]] std::vector<Fact> facts_of(std::string_view key, const Occurrences& values);

class KernelParameters final : public KindOver<KernelParametersState> {
 public:
  static constexpr std::string_view kind_name = "kernel_parameters";
  static constexpr const char* lane = "boot loader";
  static constexpr const char* fallback_subject = "boot_fallback";
  /// What a step's action says it does.
  static constexpr const char* stage_verb = "stage";
  static constexpr const char* release_verb = "release";
  static constexpr const char* forget_verb = "forget";
  static constexpr const char* rebuild_verb = "rebuild";
  static constexpr const char* try_verb = "try_once";
  static constexpr const char* set_trial_verb = "set_trial";

  explicit KernelParameters(std::vector<KernelParameterSpec> spec) : spec_(std::move(spec)) {}

  [[nodiscard]] std::string_view name() const override { return kind_name; }
  [[nodiscard]] std::string advice(const Fact& fact) const override;
  [[nodiscard]] Result<bool> satisfied(const StepAction& action, const HostView& host) const override;
  [[nodiscard]] Result<std::optional<Undo>> undo_of(const StepAction& action,
                                                    const HostView& host) const override;
  Result<void> run(const StepAction& action, Host& host) const override;

 protected:
  [[nodiscard]] KernelParametersState look(const HostView& host) const override;
  [[nodiscard]] Proposal plan_from(const KernelParametersState& state, const PlanInput& input) const override;
  [[nodiscard]] std::optional<Truth> holds_in(const Fact& fact,
                                              const KernelParametersState& state) const override;

 private:
  std::vector<KernelParameterSpec> spec_;
};

}  // namespace gpuhost
