#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "host/mig.hpp"
#include "inventory/holders.hpp"
#include "inventory/inventory.hpp"
#include "kinds/functions/functions.hpp"

namespace gpuhost {

/// NVIDIA's way to make virtual functions; sriov_numvfs is the driver's own. Source: NVIDIA Virtual GPU
/// Software User Guide, "Preparing the Virtual Function for an NVIDIA vGPU that Supports SR-IOV".
inline constexpr const char* sriov_manage = "/usr/lib/nvidia/sriov-manage";

/// What the vGPU manager adds to virtual functions.
struct VgpuInterfaces {
  bool expected = false;           ///< the vGPU manager is loaded, or some function has its interface
  std::set<PciAddress> functions;  ///< those that have it: mdev_supported_types/, or nvidia/
};

[[nodiscard]] VgpuInterfaces vgpu_interfaces_of(const Gpu& gpu, const HostView& host);

/// What keeps the GPU's virtual functions from being complete, one phrase each; none: they are.
[[nodiscard]] std::vector<std::string> lacks_of(const Gpu& gpu, const VgpuInterfaces& interfaces);

struct FunctionsState {
  bool running = true;
  std::shared_ptr<const Result<Inventory>> inventory;
  std::shared_ptr<const Usage> usage;                    ///< null: nothing is wanted and nothing is owned
  std::map<PciAddress, std::vector<std::string>> lacks;  ///< of each GPU with SR-IOV; see lacks_of
  Result<bool> tool_there = false;                       ///< sriov-manage
  std::map<PciAddress, Mig> with_instances;              ///< GPUs that may have MIG instances
  std::set<PciAddress> with_mixed_sizes;                 ///< GPUs in mixed-size mode, which they would lose
  bool nvidia_there = false;                             ///< NVIDIA's driver is loaded
  std::set<PciAddress> without_bars;  ///< GPUs whose functions have BARs without address space

  [[nodiscard]] Json describe() const;
  /// "enabled", "disabled", or "incomplete".
  [[nodiscard]] const char* word_of(const Gpu& gpu) const;
};

class Functions final : public KindOver<FunctionsState> {
 public:
  static constexpr std::string_view kind_name = "functions";
  static constexpr const char* field = "functions";
  explicit Functions(std::vector<ForGpus<FunctionsWish>> wishes) : wishes_(std::move(wishes)) {}

  [[nodiscard]] std::string_view name() const override { return kind_name; }
  [[nodiscard]] Stage stage() const override { return Stage::devices; }
  [[nodiscard]] std::string advice(const Fact& fact) const override;
  [[nodiscard]] Result<bool> satisfied(const StepAction& action, const HostView& host) const override;
  [[nodiscard]] Result<std::optional<Undo>> undo_of(const StepAction& action,
                                                    const HostView& host) const override;
  Result<void> run(const StepAction& action, Host& host) const override;

 protected:
  [[nodiscard]] FunctionsState look(const HostView& host) const override;
  [[nodiscard]] Proposal plan_from(const FunctionsState& state, const PlanInput& input) const override;
  [[nodiscard]] std::optional<Truth> holds_in(const Fact& fact, const FunctionsState& state) const override;
  [[nodiscard]] std::vector<Offer> offer_from(const Fact& fact, const FunctionsState& state,
                                              const PlanInput& input) const override;
  [[nodiscard]] std::string obstacle_in(const Fact& fact, const FunctionsState& state) const override;

 private:
  std::vector<ForGpus<FunctionsWish>> wishes_;
};

/// Whether it has SR-IOV at all; a GPU of which that cannot be told counts as one that has none.
[[nodiscard]] bool has_sriov(const Gpu& gpu);

}  // namespace gpuhost
