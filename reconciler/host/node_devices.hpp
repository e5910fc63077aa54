#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

namespace gpuhost {

/// Host devices as libvirt's node device driver names them ("pci_0000_41_00_0", "mdev_…").
class NodeDeviceReader {
 public:
  virtual ~NodeDeviceReader() = default;
  /// In byte order.
  [[nodiscard]] virtual Result<std::vector<std::string>> list() const = 0;
  [[nodiscard]] virtual Result<std::string> definition(const std::string& name) const = 0;
};

class NodeDeviceWriter {
 public:
  virtual ~NodeDeviceWriter() = default;
  /// Yields the name of the defined device, which is neither started nor set to start at boot.
  virtual Result<std::string> define(const std::string& xml) = 0;
  virtual Result<void> undefine(const std::string& name) = 0;
};

}  // namespace gpuhost
