#pragma once

#include <chrono>
#include <set>
#include <string>

#include "base/pci_address.hpp"
#include "engine/disruption.hpp"

namespace gpuhost {

/// What the document lets a run do. Plain data; the engine checks every plan against it before the first
/// step.
struct Policy {
  enum class StopMethod { shutdown, managed_save };
  enum class AfterTimeout { refuse, destroy };

  Disruption disruption = Disruption::none;  ///< the most that applying may do
  std::set<std::string> protected_vms;
  std::set<PciAddress> protected_gpus;
  StopMethod guest_stop_method = StopMethod::shutdown;
  std::chrono::seconds guest_stop_timeout{180};
  AfterTimeout guest_stop_then = AfterTimeout::refuse;
};

}  // namespace gpuhost
