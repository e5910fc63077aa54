#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/observed.hpp"
#include "inventory/holders.hpp"
#include "inventory/inventory.hpp"
#include "kinds/driver/driver.hpp"
#include "kinds/driver/installer.hpp"
#include "kinds/driver/packages.hpp"
#include "kinds/licence_daemon.hpp"

namespace gpuhost {

struct DriverState {
  using Flavor = DriverSpec::Flavor;
  /// Whether a kernel has the module nvidia.
  using InKernels = std::map<std::string, Result<bool>>;

  bool running = true;              ///< HostView::running
  std::string kernel;               ///< release of the one that runs
  Observed<std::string> installed;  ///< version for the running kernel; absent: it has no driver
  std::string signer;               ///< of that module; empty: it has no signature
  Result<InKernels> other_kernels = InKernels{};  ///< by release, of those that are installed
  InKernels headers = {};                         ///< kernels, the running one too, that have headers
  Observed<std::string> loaded;                   ///< version of the module nvidia; absent: it is not loaded
  Observed<Flavor> flavor;                        ///< absent: no driver is installed or loaded
  Result<bool> manager_loaded = false;            ///< the module of the vGPU manager
  Result<bool> manager_installed = false;         ///< looked at for whatever document
  Result<bool> nouveau_loaded = false;
  Result<std::vector<std::string>> users_of_driver =
      std::vector<std::string>{};  ///< loaded modules of others
  Result<NvidiaPackages> packages = NvidiaPackages{};
  Means means;                       ///< how what is installed came here
  Result<bool> signed_only = false;  ///< Secure Boot, or the kernel's own setting: only signed modules load
  bool has_dkms = false;             ///< builds modules for every kernel
  bool has_key = false;              ///< with which DKMS signs what it builds
  Result<PackageTool> tool = PackageTool::none;
  std::map<std::string, Result<UnitState>> services = {};  ///< that open GPUs or serve vGPUs, those that run
  bool has_copy = false;                                   ///< of the document's source, as its sha256 says
  /// Of the document's source, if it is a file that would be copied and installed; nothing: it is not.
  std::optional<Result<std::string>> source_digest = {};
  std::shared_ptr<const Result<Inventory>> inventory;
  std::shared_ptr<const Usage> usage;
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
  [[nodiscard]] std::optional<Truth> holds_in(const Fact& fact, const DriverState& state) const override;
  [[nodiscard]] std::string obstacle_in(const Fact& fact, const DriverState& state) const override;

 private:
  [[nodiscard]] std::vector<const Gpu*> gpus_for_driver(const Inventory& inventory) const;
  [[nodiscard]] bool is_to_be_installed(const DriverState& state) const;

  std::optional<DriverSpec> spec_;
  std::vector<GpuEntry> passed_through_;
};

inline constexpr const char* nvidia_module = "nvidia";
inline constexpr const char* nouveau_module = "nouveau";
inline constexpr const char* manager_module = "nvidia_vgpu_vfio";

/// The daemons of the vGPU manager, in the order in which they start. They are down while it is not loaded.
/// Source: vgpu-manager of NVIDIA/gpu-driver-container.
inline constexpr std::array manager_daemons{"nvidia-vgpud.service", "nvidia-vgpu-mgr.service"};

/// Whether the module comes with NVIDIA's driver: nvidia_uvm, nvidia_vgpu_vfio and the like.
[[nodiscard]] inline bool is_driver_module(std::string_view module) {
  return module == nvidia_module || module.starts_with("nvidia_");
}

/// What a document owns the driver as: where it was installed from, for the way back.
inline constexpr const char* driver_object = "driver";

[[nodiscard]] std::string_view to_string(DriverSpec::Flavor flavor);

/// See make_kernel_modules, whose fact it is.
[[nodiscard]] inline Fact module_loaded(std::string_view module) {
  return {fmt::format("module/{}", module), "loaded"};
}
[[nodiscard]] inline Fact module_unloaded(std::string_view module) {
  return {fmt::format("module/{}", module), "unloaded"};
}

}  // namespace gpuhost
