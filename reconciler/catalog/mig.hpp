#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/boards.hpp"

namespace gpuhost::catalog {

/// A GPU that can be partitioned. From schema/catalog/mig-gpus.tsv, which names its public sources.
struct MigGpu {
  std::string_view family;                 ///< "A100-40GB": GPUs with the same profiles
  std::optional<std::uint16_t> device_id;  ///< not known of boards that nobody has shown yet
  unsigned compute_slices = 0;
  std::optional<unsigned> memory_slices;
  bool keeps_mode = false;  ///< MIG mode outlives a boot of the host
};

/// How a fact of a profile is known; what a GPU tells stands above all of them.
enum class Evidence { captured, documented, test_data, analogy, none };

/// What a GPU instance can be. From schema/catalog/mig-profiles.tsv.
struct MigProfile {
  std::string_view family;
  std::string_view name;              ///< "3g.20gb", "1g.5gb+me"
  std::string_view also;              ///< its name on early boards; may be empty
  std::optional<unsigned> id;         ///< as `nvidia-smi mig -lgip` prints it; not NVML's enumeration
  unsigned slices = 0;                ///< compute slices
  unsigned max = 0;                   ///< instances of it on an empty GPU
  std::vector<unsigned> starts;       ///< first memory slices where one may lie; empty: not known
  std::optional<unsigned> size;       ///< memory slices
  std::optional<unsigned> memory_mb;  ///< MiB; differs by driver and mode
  std::optional<unsigned> multiprocessors;
  std::string_view driver;  ///< first branch that has it: "R525"; empty: all that know the GPU, or not known
  Evidence id_evidence = Evidence::none;
  Evidence placement_evidence = Evidence::none;
};

[[nodiscard]] std::span<const MigGpu> mig_gpus();
/// Null: the GPU cannot be partitioned, or is not known to.
[[nodiscard]] const MigGpu* mig_gpu_of(std::uint16_t device_id);
/// By size, the smallest first; never empty for a family of `mig_gpus`.
[[nodiscard]] std::span<const MigProfile> mig_profiles_of(const MigGpu& gpu);

/// How many vGPUs of a type one of the GPU instances carries that it is made on: what the GPU takes, shared
/// among the instances it can have; more than one where the board shares instances in time slices. Nothing:
/// it is not known, or the type is made on no instance.
[[nodiscard]] std::optional<unsigned> vgpus_per_instance(const VgpuType& type);

/// One spelling for all of a name: "MIG 1g.5gb.me", "1G.5GB+ME" and "1g.5gb+me" become the last.
/// Source of the spelling with a dot: NVIDIA/mig-parted, names of resources in Kubernetes.
[[nodiscard]] std::string mig_profile_name(std::string_view spelling);
/// Whether two names mean one profile: in any spelling, or one of them the early name of the other.
[[nodiscard]] bool same_mig_profile(std::string_view a, std::string_view b);

}  // namespace gpuhost::catalog
