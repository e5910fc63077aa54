#include "host/sim/sim_drm.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/core.h>

namespace gpuhost {

namespace {

constexpr unsigned first_render_node = 128;

std::string drm_directory(const SimDeviceTree& tree, const PciAddress& device) {
  return tree.directory_of(device).value_or("") + "/drm";
}

std::string free_node(const SimDeviceTree& tree, std::string_view kind, unsigned first) {
  std::vector<std::string> taken;
  for (const auto& device : tree.devices()) {
    for (auto& name : tree.files().names(drm_directory(tree, device))) taken.push_back(std::move(name));
  }
  unsigned number = first;
  while (std::ranges::find(taken, fmt::format("{}{}", kind, number)) != taken.end()) ++number;
  return fmt::format("{}{}", kind, number);
}

}  // namespace

void show_drm_nodes(SimDeviceTree& tree, const PciAddress& device) {
  auto& files = tree.files();
  const std::string at = drm_directory(tree, device);
  if (!tree.directory_of(device) || !files.names(at).empty()) return;
  for (const auto& name : {free_node(tree, "card", 0), free_node(tree, "renderD", first_render_node)}) {
    files.put(at + "/" + name, HostFile::Directory{});
    files.put("/dev/dri/" + name, HostFile::Device{});
  }
}

void hide_drm_nodes(SimDeviceTree& tree, const PciAddress& device) {
  if (!tree.directory_of(device)) return;
  const std::string at = drm_directory(tree, device);
  for (const auto& name : tree.files().names(at)) tree.files().erase_tree("/dev/dri/" + name);
  tree.files().erase_tree(at);
}

std::optional<NodeUse> use_of_drm_nodes(const SimDeviceTree& tree, const NodeUsers& users,
                                        const PciAddress& device) {
  for (const auto& name : tree.files().names(drm_directory(tree, device))) {
    if (auto use = use_of(users, "/dev/dri/" + name)) return use;
  }
  return std::nullopt;
}

}  // namespace gpuhost
