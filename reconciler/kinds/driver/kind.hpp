#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/observed.hpp"
#include "inventory/inventory.hpp"
#include "kinds/driver/driver.hpp"
#include "kinds/driver/packages.hpp"

namespace gpuhost {

struct DriverState {
  using Flavor = DriverSpec::Flavor;
  /// Whether a kernel has the module nvidia.
  using InKernels = std::map<std::string, Result<bool>>;

  bool running = true;              ///< HostView::running
  std::string kernel;               ///< release of the one that runs
  Observed<std::string> installed;  ///< version for the running kernel; absent: it has no driver
  Result<InKernels> other_kernels = InKernels{};  ///< by release, of those that are installed
  Observed<std::string> loaded;                   ///< version of the module nvidia; absent: it is not loaded
  Observed<Flavor> flavor;                        ///< absent: no driver is installed or loaded
  Result<bool> manager_loaded = false;            ///< the module of the vGPU manager
  Result<bool> nouveau_loaded = false;
  Result<NvidiaPackages> packages = NvidiaPackages{};
  std::shared_ptr<const Result<Inventory>> inventory;
  std::string today;  ///< as Clock::utc_now

  [[nodiscard]] Json describe() const;
};

class Driver final : public KindOver<DriverState> {
 public:
  static constexpr std::string_view kind_name = "driver";
  Driver(std::optional<DriverSpec> spec, std::vector<GpuEntry> passed_through)
      : spec_(std::move(spec)), passed_through_(std::move(passed_through)) {}

  [[nodiscard]] std::string_view name() const override { return kind_name; }
  [[nodiscard]] Result<bool> satisfied(const StepAction& action, const HostView& host) const override;
  [[nodiscard]] Result<std::optional<Undo>> undo_of(const StepAction& action,
                                                    const HostView& host) const override;
  Result<void> run(const StepAction& action, Host& host) const override;

 protected:
  [[nodiscard]] DriverState look(const HostView& host) const override;
  [[nodiscard]] Proposal plan_from(const DriverState& state, const PlanInput& input) const override;

 private:
  [[nodiscard]] std::vector<const Gpu*> gpus_for_driver(const Inventory& inventory) const;

  std::optional<DriverSpec> spec_;
  std::vector<GpuEntry> passed_through_;
};

inline constexpr const char* nvidia_module = "nvidia";
inline constexpr const char* manager_module = "nvidia_vgpu_vfio";

[[nodiscard]] std::string_view to_string(DriverSpec::Flavor flavor);

/// See make_kernel_modules, whose fact it is.
[[nodiscard]] inline Fact module_loaded(std::string_view module) {
  return {fmt::format("module/{}", module), "loaded"};
}

}  // namespace gpuhost
