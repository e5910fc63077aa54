#include "kinds/gpu_fabric.hpp"

#include <fmt/format.h>

#include "catalog/boards.hpp"

namespace gpuhost {

constexpr const char* fabric_manager = "nvidia-fabricmanager.service";

std::string obstacle_of_fabric(const Gpu& gpu, const Inventory& inventory, const HostView& host) {
  if (inventory.nvswitches.empty()) return {};
  const auto* board = catalog::board_of(gpu.device_id, gpu.subsystem_device_id);
  if (board == nullptr) return "whether a GPU of its kind can be reset alone behind NVSwitches is not known";
  if (board->architecture >= catalog::Architecture::ada) return {};
  if (board->architecture < catalog::Architecture::ampere)
    return "GPUs of its kind cannot be reset alone behind NVSwitches";
  const auto manager = host.units.state(fabric_manager);
  if (!manager)
    return fmt::format("the state of {} cannot be told: {}", fabric_manager, manager.error().message);
  return manager->active_state == "active"
             ? std::string{}
             : fmt::format("{} does not run, which resets GPUs behind NVSwitches", fabric_manager);
}

}  // namespace gpuhost
