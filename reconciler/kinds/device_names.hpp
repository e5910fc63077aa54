#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/uuid.hpp"
#include "document/gpu_entry.hpp"
#include "host/files.hpp"

namespace gpuhost {

/// Some vGPUs of one name, as those see them who only refer to them.
struct NamedVgpus {
  std::string name;
  unsigned count = 1;
  std::vector<Uuid> uuids;         ///< in place of those that gpuhost gives; empty, or one for each
  std::vector<unsigned> vfs = {};  ///< indices of virtual functions, where the document says them
};

/// The devices of an entry of `gpus` that a virtual machine may be given.
struct NamedDevices {
  GpuEntry entry;
  bool companions_too = false;  ///< a GPU's other functions go with it to the guest
  std::vector<NamedVgpus> vgpus;
};

/// The host's machine-id as a UUID, the space that vGPU identities are made in. Error: it cannot be read.
[[nodiscard]] Result<Uuid> identity_space(const FileReader& files);

/// The identity of a mediated vGPU: what the document gives, or UUID version 5 of (machine-id,
/// "GPU/VGPU/INDEX"), so that it is known before any driver is there and stays over reboots and board swaps.
/// `gpu`: SelectedGpu::name.
[[nodiscard]] Uuid vgpu_uuid(const Uuid& space, std::string_view gpu, const NamedVgpus& vgpus,
                             unsigned index);

/// "left/train/0" in its parts; the index is 0 where the reference has none.
struct VgpuReference {
  std::string gpu;   ///< "left", "desk#1"
  std::string vgpu;  ///< "train"
  unsigned index = 0;
};
[[nodiscard]] std::optional<VgpuReference> parse_vgpu_reference(std::string_view reference);

}  // namespace gpuhost
