#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "document/diagnostics.hpp"
#include "document/gpu_entry.hpp"
#include "engine/policy.hpp"
#include "kinds/display_mode/display_mode.hpp"
#include "kinds/driver/driver.hpp"
#include "kinds/ecc/ecc.hpp"
#include "kinds/functions/functions.hpp"
#include "kinds/guest_driver/guest_driver.hpp"
#include "kinds/kernel_modules/kernel_modules.hpp"
#include "kinds/kernel_parameters/kernel_parameters.hpp"
#include "kinds/license/license.hpp"
#include "kinds/mig/mig.hpp"
#include "kinds/passthrough/passthrough.hpp"
#include "kinds/units/units.hpp"
#include "kinds/vgpu/vgpu.hpp"
#include "kinds/virtualization/virtualization.hpp"
#include "kinds/vm_binding/vm_binding.hpp"

namespace gpuhost {

/// What all kinds say of one entry of `gpus`, or of one layout.
struct GpuSpecs {
  GpuEntry entry;
  std::optional<Located<DisplayMode>> display_mode;
  std::optional<Located<EccSpec>> ecc;
  std::optional<Located<FunctionsSpec>> functions;
  std::optional<Located<MigSpec>> mig;
  VgpuSpec vgpu;
  std::optional<Located<PassthroughSpec>> passthrough;
};

/// What all kinds say of one entry of `vms`.
struct VmSpecs {
  VmSpec vm;
  std::optional<Located<GuestDriverSpec>> guest_driver;
  std::optional<Located<LicenseSpec>> license;
};

/// A whole document, merged and decoded, before kinds are made of it.
struct DocumentSpecs {
  std::string name;
  std::string sha256;
  std::vector<std::string> hosts;
  std::vector<std::string> overridden;
  Policy policy;
  VirtualizationSpec virtualization;
  std::vector<KernelParameterSpec> kernel_parameters;
  std::vector<KernelModuleSpec> kernel_modules;
  std::vector<UnitSpec> units;
  std::optional<Located<DriverSpec>> driver;
  std::optional<Located<LicenseSpec>> license;
  std::vector<GpuSpecs> gpus;
  std::vector<VmSpecs> vms;
};

/// Decodes and merges the sources, which are `diagnostics`' own, in order. Nothing on any problem; all
/// problems of all sources are then in `diagnostics`. Adds to `known_keys`, if given, every key that the
/// decoders know, as a path.
[[nodiscard]] std::optional<DocumentSpecs> decode_specs(Diagnostics& diagnostics,
                                                        std::set<std::string>* known_keys = nullptr);

}  // namespace gpuhost
