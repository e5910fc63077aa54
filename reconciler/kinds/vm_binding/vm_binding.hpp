#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "document/located.hpp"
#include "engine/kind.hpp"
#include "kinds/device_names.hpp"

namespace gpuhost {

/// An existing persistent domain and the NVIDIA devices it has.
struct VmSpec {
  struct Device {
    enum class Type { vgpu, gpu };
    Type type = Type::vgpu;
    Located<std::string> name;  ///< "left/train/0", "right"
  };
  enum class Attach { next_start, live };
  enum class State { running, stopped };

  Located<std::string> name;
  std::string connection = "qemu:///system";
  std::optional<Located<std::vector<Device>>> devices;  ///< exactly these; nothing: not managed
  std::optional<Located<Attach>> attach;
  std::optional<Located<State>> state;
  std::optional<Located<bool>> autostart;
};

/// Virtual machines: which NVIDIA devices their definitions have, whether they run, whether they start at
/// boot. `devices`: what the entries of `gpus` offer, by name. `all_matter`: guests that the document does
/// not name are looked at too, also where there is no GPU: one is protected, or a reboot would hit them.
///
/// Facts: see gpu_facts::stopped, defined and without.
[[nodiscard]] std::unique_ptr<Kind> make_vm_binding(std::vector<VmSpec> vms,
                                                    std::vector<NamedDevices> devices,
                                                    bool all_matter = false);

}  // namespace gpuhost
