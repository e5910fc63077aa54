#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "inventory/pci.hpp"
#include "kinds/virtualization/processor.hpp"
#include "kinds/virtualization/virtualization.hpp"

namespace gpuhost {

struct VirtualizationState {
  /// What the firmware told the kernel of an IOMMU.
  enum class FirmwareIommu { none, intel, amd };
  struct Iommu {
    Result<std::vector<std::string>> units;          ///< /sys/class/iommu; none: inactive
    Result<std::map<std::string, unsigned>> groups;  ///< number of groups by type
    Result<FirmwareIommu> firmware;                  ///< from the ACPI tables
  };
  struct Running {
    Result<Processor> processor;
    Result<bool> kvm_device;  ///< /dev/kvm is there
    Result<bool> kvm_module;  ///< kvm_intel or kvm_amd, as the processor needs, is loaded or built in
    Iommu iommu;
    Result<std::string> command_line;
    Result<std::vector<SriovSupport>> gpus;
  };
  /// Nothing: no kernel of the host runs, so that there is nothing to ask.
  std::optional<Running> running;

  [[nodiscard]] Json describe() const;
};

/// See make_virtualization.
[[nodiscard]] inline Fact active_iommu() {
  return {"iommu", "active"};
}

class Virtualization final : public KindOver<VirtualizationState> {
 public:
  static constexpr std::string_view kind_name = "virtualization";
  explicit Virtualization(VirtualizationSpec spec) : spec_(spec) {}

  [[nodiscard]] std::string_view name() const override { return kind_name; }
  [[nodiscard]] std::string advice(const Fact& fact) const override;
  [[nodiscard]] Result<bool> satisfied(const StepAction& action, const HostView& host) const override;
  [[nodiscard]] Result<std::optional<Undo>> undo_of(const StepAction& action,
                                                    const HostView& host) const override;
  Result<void> run(const StepAction& action, Host& host) const override;

 protected:
  [[nodiscard]] VirtualizationState look(const HostView& host) const override;
  [[nodiscard]] Proposal plan_from(const VirtualizationState& state, const PlanInput& input) const override;
  [[nodiscard]] std::optional<Truth> holds_in(const Fact& fact,
                                              const VirtualizationState& state) const override;

 private:
  VirtualizationSpec spec_;
};

}  // namespace gpuhost
