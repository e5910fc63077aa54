#pragma once

#include <map>

#include "base/pci_address.hpp"
#include "document/map_reader.hpp"
#include "host/sim/host_file.hpp"

namespace gpuhost {

/// The sections `machine.gpus` and `machine.functions`, by PCI address.
void decode_host_gpus(const Value& value, HostFile::Machine& machine);
[[nodiscard]] std::map<PciAddress, HostFile::Function> decode_host_functions(const Value& value);

}  // namespace gpuhost
