#pragma once

#include <string>
#include <vector>

#include "host/processes.hpp"
#include "host/sim/host_file.hpp"
#include "host/sim/sim_files.hpp"

namespace gpuhost {

/// Processes of a simulated host that have device nodes open, by pid: those the host file lists, while their
/// unit is up, and the QEMU process of each running guest.
[[nodiscard]] std::vector<Process> running_processes(const HostFile& host, const SimFiles& files);

/// Those of them that have this node open: "/dev/nvidia0", "/dev/vfio/57".
[[nodiscard]] std::vector<Process> users_of(const HostFile& host, const SimFiles& files,
                                            const std::string& device);

/// Their QEMU process is gone with the guest.
void end_guest_processes(HostFile& host, const std::string& domain);

/// The guest gave back the last device of this IOMMU group.
void close_vfio_group(HostFile& host, const std::string& domain, const std::string& group);

/// A host that starts again has none but those that its units start.
void forget_processes(HostFile& host);

}  // namespace gpuhost
