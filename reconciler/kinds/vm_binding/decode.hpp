#pragma once

#include "document/map_reader.hpp"
#include "kinds/vm_binding/vm_binding.hpp"

namespace gpuhost {

/// Claims all keys of an entry of `vms` that are not of the guest's inside.
[[nodiscard]] VmSpec decode_vm(MapReader& vm);

}  // namespace gpuhost
