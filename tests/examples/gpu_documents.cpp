#include "examples/gpu_documents.hpp"

#include <optional>

#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/boards.hpp"
#include "kinds/mig/layout.hpp"
#include "kinds/mig/profiles.hpp"

namespace gpuhost::testing {

namespace {

std::uint16_t id_at(const HostFile& host, const PciAddress& address, const char* attribute) {
  const auto path = fmt::format("/sys/bus/pci/devices/{}/{}", address.to_string(), attribute);
  const auto found = host.files.find(path);
  const auto* text = found == host.files.end() ? nullptr : std::get_if<HostFile::Text>(&found->second);
  return text != nullptr ? static_cast<std::uint16_t>(std::stoul(text->content, nullptr, 16)) : 0;
}

class DraftOfGpus {
 public:
  DraftOfGpus(Dice& dice, const HostFile& host) : dice_(dice), host_(host) {}

  GpuDraft make(const std::string& name) {
    // Drivers of the host and of vGPUs do not go with one document.
    shared_mode_ = dice_.one_in(4) ? "bare-metal" : "vgpu";
    std::string entries;
    const std::size_t one_in = host_.machine.gpus.size() > 4 ? 4 : 2;
    for (const auto& [address, gpu] : host_.machine.gpus)
      if (!gpu.gone && dice_.one_in(one_in)) entries += entry_of(address, gpu);
    const std::string guests = guests_section();
    draft_.text = fmt::format(
        "apiVersion: gpuhost/v1\nkind: HostState\nmetadata: {{name: {}}}\npolicy: {}\n{}{}{}{}", name,
        policy(), entries.empty() ? "" : "gpus:\n", entries, guests.empty() ? "" : "vms:\n", guests);
    return std::move(draft_);
  }

 private:
  std::string policy() {
    static const std::vector<std::string> levels{"none",        "remove-idle", "stop-units", "hot-unplug",
                                                 "stop-guests", "stop-guests", "reset-gpu",  "reload-driver"};
    std::string text = fmt::format("{{disruption: {}", dice_.of(levels));
    if (dice_.one_in(3)) text += ", guestStop: {method: managed-save}";
    if (dice_.one_in(4) && !guest_names().empty())
      text += fmt::format(", protect: {{vms: [{}]}}", dice_.of(guest_names()));
    return text + "}";
  }

  std::string entry_of(const PciAddress& address, const HostFile::Gpu& gpu) {
    const auto label = fmt::format("g{}", draft_.gpus.size());
    draft_.gpus.insert(address.to_string());
    auto text = fmt::format("  - {{name: {}, match: {{address: \"{}\"}}", label, address.to_string());
    if (dice_.one_in(3)) {
      devices_.push_back(fmt::format("{{gpu: {}}}", label));
      return text + ", mode: passthrough}\n";
    }
    text += ", mode: " + shared_mode_;
    if (shared_mode_ == "vgpu") text += vgpu_keys(label, address, gpu);
    return text + "}\n";
  }

  std::string vgpu_keys(const std::string& label, const PciAddress& address, const HostFile::Gpu& gpu) {
    const auto device = id_at(host_, address, "device");
    const auto* board = catalog::board_of(device, id_at(host_, address, "subsystem_device"));
    std::string keys;
    const bool can_mig = !known_mig_profiles(device).empty();
    if (can_mig && dice_.one_in(3)) return ", functions: enabled, mig: " + random_mig(device);
    if (gpu.first_function && dice_.one_in(3))
      keys += dice_.one_in(4) ? ", functions: disabled" : ", functions: enabled";
    if (keys.contains("disabled") || gpu.framework != HostFile::VgpuFramework::mdev || board == nullptr)
      return keys;
    if (dice_.one_in(6)) return keys + ", vgpus: []";
    return keys + (dice_.one_in(5) ? "" : ", vgpus: " + random_vgpus(label, *board));
  }

  /// Of one size, as many as fit at most.
  std::string random_vgpus(const std::string& label, const catalog::Board& board) {
    std::vector<const catalog::VgpuType*> types;
    for (const auto& type : catalog::types_of(board))
      if (type.gpu_instance.empty() && type.max) types.push_back(&type);
    const auto& type = *dice_.of(types);
    std::string list;
    auto left = *type.max;
    for (const char* name : {"one", "two"}) {
      if (left == 0 || (!list.empty() && dice_.one_in(2))) continue;
      const auto count = static_cast<unsigned>(1 + dice_.below(std::min(left, 3U)));
      left -= count;
      list += fmt::format("{}{{name: {}, type: {}, count: {}}}", list.empty() ? "" : ", ", name, type.name,
                          count);
      for (unsigned i = 0; i < count; ++i)
        devices_.push_back(fmt::format("{{vgpu: {}/{}/{}}}", label, name, i));
    }
    return "[" + list + "]";
  }

  std::string random_mig(std::uint16_t device) {
    if (dice_.one_in(4)) return "disabled";
    const auto profiles = known_mig_profiles(device);
    std::vector<WantedInstance> wanted;
    std::string list;
    for (auto tries = dice_.below(5); tries > 0; --tries) {
      const auto& profile = dice_.of(profiles);
      wanted.push_back({profile.id, std::nullopt});
      if (solve_layout(profiles, {}, wanted))
        list += fmt::format("{}{{profile: {}}}", list.empty() ? "" : ", ", profile.name);
      else
        wanted.pop_back();
    }
    return "[" + list + "]";
  }

  [[nodiscard]] std::vector<std::string> guest_names() const {
    std::vector<std::string> names;
    for (const auto& [uri, connection] : host_.domains)
      for (const auto& [name, domain] : connection.domains) names.push_back(name);
    return names;
  }

  std::string guests_section() {
    std::string section;
    dice_.shuffle(devices_);
    for (const auto& name : guest_names()) {
      if (!dice_.one_in(2)) continue;
      draft_.guests.insert(name);
      std::vector<std::string> mine;
      for (auto count = dice_.below(3); count > 0 && !devices_.empty(); --count) {
        mine.push_back(devices_.back());
        devices_.pop_back();
      }
      section += fmt::format("  - {{name: {}", name);
      if (!mine.empty() || dice_.one_in(2)) section += fmt::format(", devices: [{}]", join(mine, ", "));
      if (dice_.one_in(4)) section += ", attach: live";
      if (dice_.one_in(2)) section += dice_.one_in(2) ? ", state: running" : ", state: stopped";
      if (dice_.one_in(4)) section += dice_.one_in(2) ? ", autostart: true" : ", autostart: false";
      section += "}\n";
    }
    return section;
  }

  Dice& dice_;
  const HostFile& host_;
  std::string shared_mode_;
  std::vector<std::string> devices_;  ///< that guests can have, and none has yet
  GpuDraft draft_;
};

}  // namespace

GpuDraft random_gpu_draft(Dice& dice, const HostFile& host, const std::string& name) {
  return DraftOfGpus(dice, host).make(name);
}

}  // namespace gpuhost::testing
