#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inventory/gpu_reports.hpp"
#include "inventory/inventory.hpp"
#include "kinds/license/gridd_config.hpp"
#include "kinds/license/license.hpp"

namespace gpuhost {

/// All that is known of a token.
struct LicenseToken {
  unsigned mode = 0;
  std::string sha256;
  std::vector<std::string> beside;  ///< other tokens in its folder
};

struct LicenseState {
  bool running = true;  ///< HostView::running
  Result<GriddConfig> config;
  std::optional<Result<UnitState>> daemon;  ///< nothing: no systemd runs under --root
  /// The one that the document names. not_found: it is not there.
  std::optional<Result<LicenseToken>> token;
  std::shared_ptr<const Result<Inventory>> inventory;  ///< null: no kernel runs under --root
  std::shared_ptr<const Result<GpuReports>> reports;   ///< null: there is no GPU to ask of

  [[nodiscard]] Json describe() const;
  /// Whether NVIDIA's driver has a licence for all GPUs that it asks one for; absent: it asks for none.
  [[nodiscard]] Observed<bool> licensed() const;
};

class License final : public KindOver<LicenseState> {
 public:
  static constexpr std::string_view kind_name = "license";
  explicit License(std::optional<LicenseSpec> spec) : spec_(std::move(spec)) {}

  [[nodiscard]] std::string_view name() const override { return kind_name; }
  [[nodiscard]] Result<bool> satisfied(const StepAction& action, const HostView& host) const override;
  [[nodiscard]] Result<std::optional<Undo>> undo_of(const StepAction& action,
                                                    const HostView& host) const override;
  Result<void> run(const StepAction& action, Host& host) const override;

 protected:
  [[nodiscard]] LicenseState look(const HostView& host) const override;
  [[nodiscard]] Proposal plan_from(const LicenseState& state, const PlanInput& input) const override;

 private:
  std::optional<LicenseSpec> spec_;
};

/// The verb that makes a line of the daemon's configuration what `line` says, or takes it out.
inline constexpr const char* set_line_verb = "set";

}  // namespace gpuhost
