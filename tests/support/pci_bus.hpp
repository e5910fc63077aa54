#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "support/gpu_files.hpp"

namespace gpuhost::testing {

/// The kernel's part in binding drivers to the functions of a FakeHost: driver_override, unbind and
/// drivers_probe. Source: Linux Documentation/ABI/testing/sysfs-bus-pci.
class PciBus {
 public:
  /// Drivers that take a function when it is probed, the first of them that is loaded.
  std::map<std::string, std::vector<std::string>> matching;
  std::set<std::string> loaded{"nvidia", "vfio-pci", "snd_hda_intel"};
  std::set<std::string> refusing;  ///< drivers whose probe fails
  std::vector<std::string> log;    ///< "unbind 0000:41:00.0"
  /// Writes that still succeed; the one after them and all others fail, as if gpuhost had died there.
  unsigned writes_left = 1000;

  explicit PciBus(FakeHost& host) : host_(host) {
    for (const auto& driver : loaded) host.directories.insert("/sys/bus/pci/drivers/" + driver);
    host.on_attribute = [this](const std::string& path, std::string_view text) { return write(path, text); };
  }
  PciBus(const PciBus&) = delete;
  PciBus& operator=(const PciBus&) = delete;

  [[nodiscard]] std::string driver_of(const std::string& address) const {
    const auto link = host_.links.find(pci_devices + address + "/driver");
    return link == host_.links.end() ? "" : link->second.substr(link->second.rfind('/') + 1);
  }
  [[nodiscard]] std::string override_of(const std::string& address) const {
    const auto text = host_.files.at(pci_devices + address + "/driver_override");
    return text == "(null)\n" ? "" : text.substr(0, text.size() - 1);
  }

 private:
  Result<void> write(const std::string& path, std::string_view text) {
    if (writes_left == 0) return fail(ErrorKind::io, "killed");
    --writes_left;
    if (path.ends_with("/driver_override")) {
      log.push_back("override " + std::string(text == "\n" ? "none" : text));
      host_.files[path] = text == "\n" ? "(null)\n" : std::string(text) + "\n";
      return {};
    }
    const std::string address(text);
    if (path.ends_with("/unbind")) {
      if (path != "/sys/bus/pci/drivers/" + driver_of(address) + "/unbind")
        return fail(ErrorKind::not_found, "No such device");
      log.push_back("unbind " + address);
      host_.links.erase(pci_devices + address + "/driver");
      return {};
    }
    if (path != "/sys/bus/pci/drivers_probe") return fail(ErrorKind::not_found, "no attribute " + path);
    log.push_back("probe " + address);
    probe(address);
    return {};
  }

  void probe(const std::string& address) {
    if (!driver_of(address).empty()) return;
    const auto only = override_of(address);
    for (const auto& driver : only.empty() ? matching[address] : std::vector<std::string>{only}) {
      if (!loaded.contains(driver) || refusing.contains(driver)) continue;
      host_.links[pci_devices + address + "/driver"] = "../../../bus/pci/drivers/" + driver;
      return;
    }
  }

  FakeHost& host_;
};

}  // namespace gpuhost::testing
