#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "host/mig.hpp"
#include "inventory/holders.hpp"
#include "inventory/inventory.hpp"
#include "kinds/vgpu/mdevctl.hpp"
#include "kinds/vgpu/params.hpp"
#include "kinds/vgpu/supported_types.hpp"
#include "kinds/vgpu/vgpu.hpp"
#include "kinds/vgpu_functions.hpp"

namespace gpuhost {

/// A vGPU that is there, whatever it is made of.
struct PresentVgpu {
  /// Of a mediated device. Of a function: what a record or the document knows it by; else one of its own that
  /// nobody else knows.
  Uuid uuid;
  PciAddress parent;  ///< for the vendor-specific framework the function that is the vGPU
  std::string type;   ///< "GRID A100-4C"; empty if it cannot be told
  bool mediated = true;
  std::optional<unsigned> gpu_instance;  ///< id of the MIG instance that it is on
  /// Where it lies in mixed-size mode; nothing: the driver does not say, or in no such mode.
  std::optional<unsigned> placement = {};
  /// What hosts and guests know it by.
  [[nodiscard]] std::string shown() const { return mediated ? uuid.to_string() : parent.to_string(); }
};

struct VgpuState {
  bool running = true;  ///< HostView::running; nothing else is looked at without
  std::shared_ptr<const Result<Inventory>> inventory;
  std::shared_ptr<const Usage> usage;                    ///< null: there is no vGPU
  std::map<PciAddress, SupportedTypes> types;            ///< of the GPUs that the document speaks of
  std::map<PciAddress, std::vector<PresentVgpu>> vgpus;  ///< by GPU
  std::map<PciAddress, Mig> mig;     ///< of the GPUs that the document speaks of and that can be partitioned
  std::map<PciAddress, bool> mixed;  ///< whether sizes mix, of GPUs that tell
  std::map<Uuid, Result<VgpuParams>> params;      ///< of the vGPUs that there are
  std::set<Uuid> with_params;                     ///< those that the document gives parameters, or has given
  std::shared_ptr<const DefinedDevices> defined;  ///< null: there is no vGPU
  bool vendor_kernel = false;                     ///< see has_vendor_kernel
  Result<Uuid> space = Uuid{};       ///< in which identities are made; of no use if there is no GPU
  Result<bool> has_bus = false;      ///< /sys/class/mdev_bus: some driver offers mediated devices
  Result<bool> has_manager = false;  ///< /sys/module/nvidia_vgpu_vfio: NVIDIA's vGPU manager is loaded
  std::vector<MdevctlStart> mdevctl_starts;  ///< on GPUs whose vGPUs the document lists

  [[nodiscard]] Json describe() const;
  /// Null: the host has no PCI bus, or it cannot be read.
  [[nodiscard]] const Inventory* gpus() const { return inventory && *inventory ? &**inventory : nullptr; }
  [[nodiscard]] const std::vector<PresentVgpu>& on(const PciAddress& gpu) const;
  [[nodiscard]] const PresentVgpu* find(const Uuid& uuid) const;
  /// The GPU that carries it.
  [[nodiscard]] const Gpu* owner_of(const Uuid& uuid) const;
  [[nodiscard]] std::vector<Holder> holders(const PresentVgpu& vgpu) const;
  /// Domains whose definitions name it.
  [[nodiscard]] const std::vector<std::string>& domains_with(const PresentVgpu& vgpu) const;
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

 private:
  std::vector<ForGpus<VgpuSpec>> entries_;
};

}  // namespace gpuhost
