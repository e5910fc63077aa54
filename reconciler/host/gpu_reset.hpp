#pragma once

#include "base/pci_address.hpp"
#include "base/result.hpp"
#include "host/host.hpp"

namespace gpuhost {

/// The program that resets GPUs: NVIDIA's library has no call for it.
inline constexpr const char* nvidia_smi = "/usr/bin/nvidia-smi";

/// Resets a GPU that NVIDIA's driver has and nobody holds: its MIG instances are gone, and switches that were
/// pending take effect, or go off where the GPU does not keep them. Done when the driver tells of the GPU
/// again and nothing of it is pending. busy: somebody holds it.
Result<void> reset_gpu(const PciAddress& gpu, Host& host);

}  // namespace gpuhost
