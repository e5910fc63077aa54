#pragma once

#include "host/files.hpp"
#include "host/gpus.hpp"
#include "host/sim/host_file.hpp"

namespace gpuhost {

/// What can be told of GPUs and of the functions beside them, so that a simulator can act on the recorded
/// host: what is bound and enabled now says it, and where nothing does, what such boards and kernels most
/// often have.
void take_gpus(const FileReader& files, HostFile::Machine& machine);

/// What NVIDIA's driver told of those that it has.
void take_reports(const FileReader& files, const Result<GpuReports>& reports, HostFile::Machine& machine);

}  // namespace gpuhost
