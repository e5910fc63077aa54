#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "kinds/mig/kind.hpp"
#include "kinds/mig/wanted.hpp"

namespace gpuhost {

// The steps of this kind. Ownership knows the mode as "gpu[ADDRESS].mig.mode" and an instance as
// "gpu[ADDRESS].mig[PROFILE@START]", so that an instance that is made anew after a boot is the same object.

inline constexpr const char* mig_mode_field = "mig.mode";

/// The GPU that such an object, or the mode, is of.
[[nodiscard]] std::optional<PciAddress> gpu_of_mig_object(std::string_view object);

/// Whether some vGPU is on the instance, used or not.
[[nodiscard]] bool carries_vgpus(const Gpu& gpu, const GpuInstance& instance);

/// "gpu/ADDRESS" "without GPU instance N", N its id until it is destroyed.
[[nodiscard]] Fact gone_fact(const Gpu& gpu, unsigned id);

[[nodiscard]] Step mode_step(const SelectedGpu& selected, const GpuSwitch& now, bool on, const Usage& usage);
[[nodiscard]] Step create_step(const SelectedGpu& selected, const NamedInstance& wanted,
                               const MigPlacement& placement);
/// Gives the instance that is there the compute instances that are wanted.
[[nodiscard]] Step compute_step(const SelectedGpu& selected, const NamedInstance& wanted,
                                const GpuInstance& there);
/// `address` stands for it in the plan.
[[nodiscard]] Step destroy_step(const SelectedGpu& selected, std::string address, const Mig& mig,
                                const GpuInstance& instance);

}  // namespace gpuhost
