#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/observed.hpp"
#include "inventory/inventory.hpp"
#include "kinds/display_mode/display_mode.hpp"
#include "kinds/display_mode/driver_away.hpp"

namespace gpuhost {

struct DisplayModesState {
  bool running = true;
  std::shared_ptr<const Result<Inventory>> inventory;
  std::map<PciAddress, Observed<std::string>> modes;     ///< as mode_of tells, of those that have several
  std::map<PciAddress, std::vector<PciAddress>> boards;  ///< the other GPUs of its board
  Result<LoadedDriver> driver = LoadedDriver{};
  std::map<PciAddress, std::string> staged;  ///< modes that the next boot puts in force
  std::map<std::string, Result<std::string>, std::less<>>
      tools;  ///< path of each; not_found: it is not there

  [[nodiscard]] Json describe() const;
};

class DisplayModes final : public KindOver<DisplayModesState> {
 public:
  static constexpr std::string_view kind_name = "display_mode";
  static constexpr const char* field = "display";
  DisplayModes(std::vector<ForGpus<DisplayWish>> wishes, Omitted omitted)
      : wishes_(std::move(wishes)), omitted_(omitted) {}

  [[nodiscard]] std::string_view name() const override { return kind_name; }
  [[nodiscard]] Result<bool> satisfied(const StepAction& action, const HostView& host) const override;
  [[nodiscard]] Result<std::optional<Undo>> undo_of(const StepAction& action,
                                                    const HostView& host) const override;
  Result<void> run(const StepAction& action, Host& host) const override;

 protected:
  [[nodiscard]] DisplayModesState look(const HostView& host) const override;
  [[nodiscard]] Proposal plan_from(const DisplayModesState& state, const PlanInput& input) const override;
  [[nodiscard]] std::optional<Truth> holds_in(const Fact& fact,
                                              const DisplayModesState& state) const override;
  [[nodiscard]] std::vector<Offer> offer_from(const Fact& fact, const DisplayModesState& state,
                                              const PlanInput& input) const override;
  [[nodiscard]] std::string obstacle_in(const Fact& fact, const DisplayModesState& state) const override;

 private:
  std::vector<ForGpus<DisplayWish>> wishes_;
  Omitted omitted_;
};

/// "graphics", "display-off": what the GPU is now, told by its PCI class and the size of its BAR 1. Absent:
/// its board has no switch, or none that is known. Source: gpumodeswitch user guide, "Compute and graphics
/// mode".
[[nodiscard]] Observed<std::string> mode_of(const Gpu& gpu, const FileReader& files);

[[nodiscard]] Fact display_fact(const PciAddress& gpu, std::string_view mode);

/// What was switched since the host has started, by GPU: until the next boot nothing else shows it.
[[nodiscard]] std::map<PciAddress, std::string> staged_modes(const FileReader& files);
Result<void> stage_modes(const std::map<PciAddress, std::string>& modes, const FileReader& reader,
                         FileWriter& files);

}  // namespace gpuhost
