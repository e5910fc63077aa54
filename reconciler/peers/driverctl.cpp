#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.hpp"
#include "document/messages.hpp"
#include "peers/document_draft.hpp"
#include "peers/peers.hpp"

namespace gpuhost {

namespace {

struct Override {
  std::string device;  ///< "0000:41:00.0"
  std::string driver;
};

/// A file of driverctl's store holds the driver alone, and is named for the device.
std::vector<Override> overrides_in(std::uint32_t source, Diagnostics& diagnostics) {
  constexpr std::string_view bus = "pci-";
  const auto& file = diagnostics.source(source);
  std::vector<Override> overrides;
  std::uint32_t number = 0;
  for (const auto line : lines(file.text)) {
    ++number;
    const auto parts = words(line);
    auto name = std::string_view(file.name).substr(file.name.rfind('/') + 1);
    if (parts.size() == 1 && name.starts_with(bus))
      overrides.push_back({std::string(name.substr(bus.size())), std::string(parts[0])});
    else if (parts.size() >= 2 && PciAddress::parse(parts[0]))
      overrides.push_back({std::string(parts[0]), std::string(parts[1])});
    else if (!parts.empty())
      diagnostics.report(messages::malformed, Mark{source, number},
                         fmt::format("'{}' is no override", trim(line)),
                         "give /etc/driverctl.d/pci-ADDRESS, or what 'driverctl list-overrides' prints");
  }
  return overrides;
}

}  // namespace

std::optional<Imported> import_driverctl(const PeerFiles& files) {
  DocumentDraft draft;
  std::set<PciAddress> passed;
  for (std::uint32_t source = 0; source < files.diagnostics.source_count(); ++source)
    for (const auto& [device, driver] : overrides_in(source, files.diagnostics)) {
      const auto address = PciAddress::parse(device);
      const auto* gpu = address ? files.gpu_at(*address) : nullptr;
      if (gpu == nullptr)
        draft.leave_out(fmt::format(
            "{} for {}: the host has no NVIDIA GPU there; give its recording with --host", driver, device));
      else if (driver != "vfio-pci")
        draft.leave_out(
            fmt::format("{} for {}: only passthrough binds a GPU to a driver by itself", driver, device));
      else
        passed.insert(gpu->address);  // its companions go with it
    }
  if (!files.diagnostics.empty()) return std::nullopt;
  for (const auto& address : passed) {
    Node content = mapping_node();
    add_entry(content, "mode", plain_node("passthrough"));
    draft.add_gpu(match_node(address), std::move(content));
  }
  return std::move(draft).finished("driverctl");
}

}  // namespace gpuhost
