#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "inventory/holders.hpp"
#include "inventory/inventory.hpp"
#include "kinds/passthrough/bindings.hpp"
#include "kinds/passthrough/passthrough.hpp"

namespace gpuhost {

struct PassthroughState {
  bool running = true;
  std::shared_ptr<const Result<Inventory>> inventory;
  std::shared_ptr<const Usage> usage;             ///< null: nothing is wanted and nothing is owned
  std::shared_ptr<const DefinedDevices> defined;  ///< null with `usage`
  std::set<std::string> drivers;                  ///< PCI drivers that are there, loaded or built in
  Result<bool> iommu_active = false;              ///< the kernel drives an IOMMU
  std::map<PciAddress, int> sound_users;  ///< a process that plays or records with a sound function, by that

  [[nodiscard]] Json describe() const;
};

class Passthrough final : public KindOver<PassthroughState> {
 public:
  static constexpr std::string_view kind_name = "passthrough";
  static constexpr const char* field = "driver";
  explicit Passthrough(std::vector<GpuEntry> entries);

  [[nodiscard]] std::string_view name() const override { return kind_name; }
  [[nodiscard]] Stage stage() const override { return Stage::devices; }
  [[nodiscard]] std::string advice(const Fact& fact) const override;
  [[nodiscard]] Result<bool> satisfied(const StepAction& action, const HostView& host) const override;
  [[nodiscard]] Result<std::optional<Undo>> undo_of(const StepAction& action,
                                                    const HostView& host) const override;
  Result<void> run(const StepAction& action, Host& host) const override;

 protected:
  [[nodiscard]] PassthroughState look(const HostView& host) const override;
  [[nodiscard]] Proposal plan_from(const PassthroughState& state, const PlanInput& input) const override;
  [[nodiscard]] std::optional<Truth> holds_in(const Fact& fact, const PassthroughState& state) const override;

 private:
  std::vector<GpuEntry> entries_;  ///< with a mode
};

/// Why the drivers of the GPU and of what must be bound with it cannot be told; nothing: they can.
[[nodiscard]] std::optional<Error> unreadable_in_group(const Gpu& gpu);

/// The process that has the sound card of a PCI function open, as ALSA tells it of streams. Source: Linux
/// Documentation/sound/designs/procfile.rst, "PCM Proc Files".
[[nodiscard]] std::optional<int> sound_user(const FileReader& files, const PciAddress& function);

}  // namespace gpuhost
