#pragma once

#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/pci_address.hpp"
#include "engine/disruption.hpp"

namespace gpuhost {

/// Where a host says itself what documents may ask of it.
inline constexpr std::string_view local_limits_path = "/etc/gpuhost/local.yaml";

/// What the host sets of every document's policy, and no document can raise.
struct PolicyCeiling {
  std::optional<Disruption> disruption;  ///< nothing: the document's own
  std::set<std::string> protected_vms;
  std::set<PciAddress> protected_gpus;
};

/// What a run may do. Plain data; the engine checks every plan against it before the first step.
struct Policy {
  enum class StopMethod { shutdown, managed_save };
  enum class AfterTimeout { refuse, destroy };

  Disruption disruption = Disruption::none;  ///< the most that applying may do
  std::set<std::string> protected_vms;
  std::set<PciAddress> protected_gpus;
  StopMethod guest_stop_method = StopMethod::shutdown;
  std::chrono::seconds guest_stop_timeout{180};
  AfterTimeout guest_stop_then = AfterTimeout::refuse;

  bool by_option = false;      ///< --allow has set `disruption`, not the document
  PolicyCeiling ceiling = {};  ///< in force above already; kept to say whose word it was

  /// Puts the ceiling in force.
  void hold_below(PolicyCeiling limit);
  /// "set policy.disruption to reset-gpu to allow it", or who else does not allow the level.
  [[nodiscard]] std::string way_to_allow(Disruption level) const;
  /// Why the guest or GPU may not be touched, and who says so; nothing: it may.
  [[nodiscard]] std::optional<std::string> protection_of_vm(const std::string& name) const;
  [[nodiscard]] std::optional<std::string> protection_of_gpu(const PciAddress& address) const;
};

}  // namespace gpuhost
