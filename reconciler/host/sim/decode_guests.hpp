#pragma once

#include "document/map_reader.hpp"
#include "host/sim/host_file.hpp"

namespace gpuhost {

/// The section `processes`.
void decode_processes(const Value& value, HostFile& host);

/// The section `domains`.
void decode_domains(const Value& value, HostFile& host);

}  // namespace gpuhost
