#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "document/diagnostics.hpp"
#include "document/located.hpp"
#include "document/selector.hpp"

namespace gpuhost {

/// The GPUs and vGPUs that a document declares by name, and those that its virtual machines refer to. An
/// entry that may match several GPUs declares NAME#0, NAME#1 …; a vGPU is GPU/VGPU/INDEX, or GPU/VGPU if
/// there is one of it.
class DeviceNames {
 public:
  /// Reports a name that is declared already.
  void declare_gpu(const Located<std::string>& name, const GpuSelector& selector, Diagnostics& diagnostics);
  void declare_vgpus(const std::string& gpu, const std::string& vgpu, unsigned count);

  /// Each reports a device that nothing declares, and one that was referred to before: a device has one user.
  /// Yields the name of the entry that declares the GPU.
  std::optional<std::string> refer_gpu(const Located<std::string>& name, Diagnostics& diagnostics);
  void refer_vgpu(const Located<std::string>& path, Diagnostics& diagnostics);

 private:
  struct Gpu {
    Mark mark;
    unsigned most = 1;                           ///< GPUs the entry may match
    bool single = true;                          ///< NAME alone may mean one GPU
    std::map<std::string, unsigned> vgpus = {};  ///< count by name
  };
  /// A reference to a GPU, resolved.
  struct Found {
    std::string name;
    std::string unique;  ///< "left" or "desk#1"
    const Gpu* gpu = nullptr;
  };

  [[nodiscard]] std::optional<Found> find_gpu(std::string_view reference) const;
  [[nodiscard]] std::vector<std::string> known_gpus() const;
  [[nodiscard]] std::vector<std::string> known_vgpus() const;
  void use(const std::string& device, Mark mark, Diagnostics& diagnostics);

  std::map<std::string, Gpu> gpus_;
  std::map<std::string, Mark> users_;
};

}  // namespace gpuhost
