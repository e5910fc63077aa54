#pragma once

#include "engine/step.hpp"
#include "inventory/holders.hpp"

namespace gpuhost {

/// The step needs that nobody has the GPU in use. Services that open every GPU and are down now are started
/// after it, if they are to be started.
void need_idle(const Gpu& gpu, const Usage& usage, Step& step);

/// As above, for a step that comes after the GPU was bound to NVIDIA's driver: if that is still to be done,
/// such a service is down until the step is done.
void need_idle_once_bound(const Gpu& gpu, const Usage& usage, Step& step);

}  // namespace gpuhost
