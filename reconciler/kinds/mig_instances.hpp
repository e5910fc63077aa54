#pragma once

#include <string>
#include <string_view>

#include "engine/ownership.hpp"
#include "host/mig.hpp"
#include "inventory/inventory.hpp"

/// GPU instances as plans and records know them, whose ids change.
namespace gpuhost {

/// "3g.20gb@4": by profile and first memory slice.
[[nodiscard]] std::string instance_text(std::string_view profile, unsigned start);
[[nodiscard]] std::string instance_text(const Mig& mig, const GpuInstance& instance);

/// What ownership knows one by: "gpu[ADDRESS].mig[3g.20gb@4]".
[[nodiscard]] std::string instance_object(const Gpu& gpu, std::string_view instance);

/// Whether some instance on the GPU is not on record as this document's; so also if they cannot be told.
[[nodiscard]] bool has_foreign_instances(const Gpu& gpu, const Mig& mig, const Ownership::Objects& owned);

}  // namespace gpuhost
