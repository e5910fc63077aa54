#pragma once

#include <optional>
#include <string>
#include <vector>

#include "nvml/gpu_state.hpp"

/// GPUs of the module of tests/lab/nvidia, which keeps the library's text and knows who has a GPU open, which
/// instances have vGPUs, and when a GPU was unbound or reset.
namespace gpuhost::fake_nvml::kernel {

/// The node that the module keeps the text in, empty when it was loaded; and what the GPUs are that it may
/// have.
inline constexpr const char* state_node = "/dev/gpuhost-lab-nvml";
inline constexpr const char* boards_file = "/usr/share/gpuhost-lab/gpus.json";

/// Brings what is known up to what the kernel has: GPUs that it has not bound are put aside, in `unbound`.
void take_up(FakeDriver& driver, std::vector<FakeGpu>& unbound);
/// Tells the kernel how the GPUs are partitioned. False: it refuses, since a vGPU is in the way.
[[nodiscard]] bool hand_down(FakeDriver& driver);

/// Opens the GPUs for this process, as NVIDIA's library does for as long as it is open itself.
void open_nodes(const FakeDriver& driver);
void close_nodes();
/// Whether somebody else has it open, or it has vGPUs.
[[nodiscard]] bool is_held(const FakeGpu& gpu);
/// Zero, or the number of an error.
[[nodiscard]] int reset(const FakeGpu& gpu);

}  // namespace gpuhost::fake_nvml::kernel
