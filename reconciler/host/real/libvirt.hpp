#pragma once

#include "host/domains.hpp"
#include "host/guest_agents.hpp"

namespace gpuhost {

/// All that gpuhost asks of libvirt. Every call of every port may come from any thread.
/// libgpuhost-libvirt.so makes one, see AdapterLibrary.
class Libvirt : public DomainReader, public DomainWriter, public GuestAgents {};

}  // namespace gpuhost
