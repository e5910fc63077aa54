#pragma once

#include <string>
#include <string_view>

#include "host/files.hpp"
#include "host/sim/sim_files.hpp"
#include "host/sim/sim_mdev.hpp"
#include "host/sim/sim_pci.hpp"
#include "host/sim/sim_vendor_vfio.hpp"

namespace gpuhost {

/// Writes files of a simulated host; what is written to an attribute goes to the part of the kernel that
/// answers for it, and is kept as text where none does. Not for several threads.
class SimSysfs final : public FileWriter {
 public:
  SimSysfs(SimFiles& files, SimPci& pci, SimMdev& mdev, SimVendorVfio& vendor)
      : files_(files), pci_(pci), mdev_(mdev), vendor_(vendor) {}

  Result<void> write_attribute(const std::string& path, std::string_view text) override;
  Result<void> replace(const std::string& path, std::string_view content, unsigned mode = 0644) override;
  Result<void> append(const std::string& path, std::string_view text) override;
  Result<void> copy(const std::string& from, const std::string& to, const std::string& sha256) override;
  Result<void> remove(const std::string& path) override;

 private:
  SimFiles& files_;
  SimPci& pci_;
  SimMdev& mdev_;
  SimVendorVfio& vendor_;
};

}  // namespace gpuhost
