#pragma once

#include <memory>

#include "engine/kind.hpp"

namespace gpuhost {

/// `virtualization: required`: VT-x or AMD-V usable and the IOMMU active. Changes nothing itself: says
/// whether firmware, kernel command line or module is what is missing, and checks after the others have
/// changed them.
///
/// Fact: subject "iommu", state "active": the kernel drives an IOMMU, so that devices have IOMMU groups.
struct VirtualizationSpec {
  bool required = false;
};

[[nodiscard]] std::unique_ptr<Kind> make_virtualization(VirtualizationSpec spec);

}  // namespace gpuhost
