#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/observed.hpp"
#include "inventory/guest_reports.hpp"
#include "kinds/guest_driver/guest_driver.hpp"

namespace gpuhost {

/// A guest that the document names.
struct GuestSeen {
  bool running = false;  ///< it has a guest now
  /// What its agent told last. Absent: it was never asked.
  Observed<GuestReport> report;
};

struct GuestDriverState {
  bool running = true;            ///< HostView::running
  std::vector<GuestSeen> guests;  ///< one for each wish
  Result<GuestReports> reports;   ///< of all guests that were asked
  /// Of the host's vGPU manager that is loaded; absent: none is.
  Observed<std::string> manager;

  [[nodiscard]] Json describe() const;
};

/// Checks only, by what the agents of guests have told: planning asks none.
class GuestDriver final : public KindOver<GuestDriverState> {
 public:
  static constexpr std::string_view kind_name = "guest_driver";
  GuestDriver(std::vector<GuestDriverWish> wishes, std::string host_version)
      : wishes_(std::move(wishes)), host_version_(std::move(host_version)) {}

  [[nodiscard]] std::string_view name() const override { return kind_name; }
  [[nodiscard]] Result<bool> satisfied(const StepAction& action, const HostView& host) const override;
  [[nodiscard]] Result<std::optional<Undo>> undo_of(const StepAction& action,
                                                    const HostView& host) const override;
  Result<void> run(const StepAction& action, Host& host) const override;

 protected:
  [[nodiscard]] GuestDriverState look(const HostView& host) const override;
  [[nodiscard]] Proposal plan_from(const GuestDriverState& state, const PlanInput& input) const override;

 private:
  std::vector<GuestDriverWish> wishes_;
  std::string host_version_;
};

}  // namespace gpuhost
