#pragma once

#include <set>
#include <string>
#include <vector>

#include "engine/kind.hpp"
#include "inventory/holders.hpp"
#include "kinds/passthrough/bindings.hpp"

namespace gpuhost {

/// Takes the functions of a GPU from what they are to `goals`; the GPU's own is `driver` then. Says what it
/// does to whom, provides and ends; needs, claims and titles are the caller's.
[[nodiscard]] Step bind_step(const Gpu& gpu, const std::string& driver, const std::vector<Binding>& now,
                             const std::vector<Binding>& goals);

/// Lists the guests whose definitions name the GPU or its companions, which will not find it on vfio-pci.
void add_guests_of(const Gpu& gpu, const DefinedDevices& defined, Step& step);

/// For Claim::before: which GPU it was, and what it and its companions were bound to.
[[nodiscard]] Json record_of(const Gpu& gpu);

/// What the record says of functions that the GPU has still, if it is the same GPU; a driver that is not
/// there any more becomes none, so that it takes its function when it is loaded.
[[nodiscard]] std::vector<Binding> recorded_bindings(const Ownership::Object& owned, const Gpu& gpu,
                                                     const std::set<std::string>& drivers);

}  // namespace gpuhost
