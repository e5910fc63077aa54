#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "inventory/holders.hpp"
#include "inventory/inventory.hpp"
#include "kinds/vgpu/mdevctl.hpp"
#include "kinds/vgpu/params.hpp"
#include "kinds/vgpu/supported_types.hpp"
#include "kinds/vgpu/vgpu.hpp"

namespace gpuhost {

struct VgpuState {
  bool running = true;  ///< HostView::running; nothing else is looked at without
  std::shared_ptr<const Result<Inventory>> inventory;
  std::shared_ptr<const Usage> usage;             ///< null: there is no vGPU
  std::map<PciAddress, SupportedTypes> types;     ///< of the GPUs that the document speaks of
  std::map<Uuid, Result<VgpuParams>> params;      ///< of the vGPUs that there are
  std::set<Uuid> with_params;                     ///< those that the document gives parameters, or has given
  std::shared_ptr<const DefinedDevices> defined;  ///< null: there is no vGPU
  bool by_vendor_framework = false;  ///< vGPUs on virtual functions that are still to come have no mdev
  Result<Uuid> space = Uuid{};       ///< in which identities are made; of no use if there is no GPU
  Result<bool> has_bus = false;      ///< /sys/class/mdev_bus: some driver offers mediated devices
  Result<bool> has_manager = false;  ///< /sys/module/nvidia_vgpu_vfio: NVIDIA's vGPU manager is loaded
  std::vector<MdevctlStart> mdevctl_starts;  ///< on GPUs whose vGPUs the document lists

  [[nodiscard]] Json describe() const;
  /// Null: the host has no PCI bus, or it cannot be read.
  [[nodiscard]] const Inventory* gpus() const { return inventory && *inventory ? &**inventory : nullptr; }
  [[nodiscard]] std::vector<Holder> holders(const MediatedDevice& vgpu) const {
    return usage ? usage->of(vgpu) : std::vector<Holder>{};
  }
};

class Vgpu final : public KindOver<VgpuState> {
 public:
  static constexpr std::string_view kind_name = "vgpu";
  explicit Vgpu(std::vector<ForGpus<VgpuSpec>> entries) : entries_(std::move(entries)) {}

  [[nodiscard]] std::string_view name() const override { return kind_name; }
  [[nodiscard]] Stage stage() const override { return Stage::devices; }
  [[nodiscard]] std::string advice(const Fact& fact) const override;
  [[nodiscard]] Result<bool> satisfied(const StepAction& action, const HostView& host) const override;
  [[nodiscard]] Result<std::optional<Undo>> undo_of(const StepAction& action,
                                                    const HostView& host) const override;
  Result<void> run(const StepAction& action, Host& host) const override;

 protected:
  [[nodiscard]] VgpuState look(const HostView& host) const override;
  [[nodiscard]] Proposal plan_from(const VgpuState& state, const PlanInput& input) const override;
  [[nodiscard]] std::optional<Truth> holds_in(const Fact& fact, const VgpuState& state) const override;
  [[nodiscard]] std::vector<Offer> offer_from(const Fact& fact, const VgpuState& state,
                                              const PlanInput& input) const override;
  [[nodiscard]] std::string obstacle_in(const Fact& fact, const VgpuState& state) const override;

 private:
  std::vector<ForGpus<VgpuSpec>> entries_;
};

/// What ownership knows a vGPU by, "vgpu[UUID]", and back.
[[nodiscard]] std::string vgpu_object(const Uuid& uuid);
[[nodiscard]] std::optional<Uuid> vgpu_of_object(std::string_view object);

}  // namespace gpuhost
