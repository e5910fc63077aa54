#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/uuid.hpp"
#include "document/located.hpp"
#include "engine/kind.hpp"
#include "kinds/device_names.hpp"
#include "kinds/gpu_selection.hpp"

namespace gpuhost {

/// The vGPUs of a GPU and how they share it.
struct VgpuSpec {
  enum class Sizes { equal, mixed };
  struct Vgpus {
    Located<std::string> name;
    std::string type;  ///< as written: "GRID A100-3-20C", or its last word
    unsigned count = 1;
    std::optional<Located<std::string>> instance;  ///< name of a MIG instance of the entry
    std::map<std::string, std::string> params;     ///< vgpu_params
    std::vector<Located<Uuid>> uuids;  ///< mdev: in place of those gpuhost would give; one for each
    std::vector<unsigned> vfs;         ///< numbers of virtual functions, as in virtfnN; one for each
    std::optional<Located<std::vector<unsigned>>> placement;  ///< for mixed sizes; one for each
  };
  struct Scheduler {
    enum class Policy { best_effort, equal_share, fixed_share };
    std::optional<Located<Policy>> policy;
    std::optional<unsigned> timeslice;  ///< milliseconds
    std::optional<unsigned> frequency;  ///< hertz
    std::optional<unsigned> averaging;  ///< averaging factor of the strict round robin
  };

  /// MIG instances that the entry asks for.
  struct Instances {
    std::string profile;
    unsigned count = 1;
  };

  std::optional<Located<std::vector<Vgpus>>> vgpus;  ///< empty: none
  /// Nothing: as many as the vGPUs need, or as there are.
  std::optional<std::vector<Instances>> instances = {};
  bool manages_mig = false;  ///< the entry says something of MIG
  std::optional<Located<Sizes>> sizes;
  std::optional<Located<Scheduler>> scheduler;
};

/// The vGPUs of each GPU, as mediated devices or on the vendor-specific VFIO framework. An entry in mode
/// passthrough or bare-metal stands for one with an empty list, since its GPU cannot have any.
///
/// Facts: see gpu_facts::present, without_vgpus and instance_unused; and its own, "vgpu/UUID" "absent".
[[nodiscard]] std::unique_ptr<Kind> make_vgpu(std::vector<ForGpus<VgpuSpec>> entries);

/// As those see them who only refer to them.
[[nodiscard]] NamedVgpus named(const VgpuSpec::Vgpus& vgpus);

}  // namespace gpuhost
