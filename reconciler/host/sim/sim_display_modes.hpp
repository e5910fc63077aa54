#pragma once

#include <string>
#include <vector>

#include "catalog/display_modes.hpp"
#include "host/commands.hpp"
#include "host/sim/host_file.hpp"
#include "host/sim/sim_device_tree.hpp"

namespace gpuhost {

/// gpumodeswitch and displaymodeselector on a simulated host: what they write to a board shows from the next
/// boot on. Not for several threads.
/// Sources: gpumodeswitch user guide, DU-07764-001; the output of displaymodeselector in public notes.
class SimDisplayModes {
 public:
  SimDisplayModes(HostFile& host, SimDeviceTree& tree) : host_(host), tree_(tree) {}

  /// `tool` is the program's name.
  CommandResult run(const std::string& tool, const std::vector<std::string>& arguments);

  /// The host was off: boards are what they were switched to.
  void boot();

 private:
  struct Adapter {
    PciAddress address;
    const catalog::Board* board;
  };
  /// The GPUs that the tool knows, in the order in which it numbers them.
  [[nodiscard]] std::vector<Adapter> adapters(const std::string& tool) const;
  /// What the board has stored, as the tool names it.
  [[nodiscard]] std::string stored(const Adapter& adapter) const;
  void show(const PciAddress& gpu, const catalog::DisplayMode& mode);

  HostFile& host_;
  SimDeviceTree& tree_;
};

}  // namespace gpuhost
