#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/pci_address.hpp"
#include "base/result.hpp"
#include "host/real/nvml/library.hpp"

namespace gpuhost::nvml {

/// Where NVIDIA's library and driver are.
struct Places {
  std::string library = "libnvidia-ml.so.1";
  std::string module = "/sys/module/nvidia";
  std::string control_node = "/dev/nvidiactl";
};

/// NVIDIA's driver while it is open to us. As long as one lives, GPUs are not reset and virtual functions not
/// enabled, so it is closed as soon as a look or an action is over; and handles are looked up in each anew,
/// since a reset makes the old ones void.
class Session {
 public:
  /// unavailable, and the library not even loaded: the driver's module or node is missing. NVIDIA's library
  /// would otherwise load the one and make the other.
  [[nodiscard]] static Result<std::unique_ptr<Session>> open(const Places& places);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  [[nodiscard]] const Library& library() const { return *library_; }
  [[nodiscard]] Result<Device> device(const PciAddress& address) const;
  struct Found {
    PciAddress address;
    Device device;
  };
  /// All GPUs that the driver lets us see.
  [[nodiscard]] Result<std::vector<Found>> devices() const;

  /// The error of a call: "cannot ACTION: In use by another client". Precondition: it is none of success.
  [[nodiscard]] Error error(Return value, const std::string& action) const;

 private:
  explicit Session(std::unique_ptr<Library> library) : library_(std::move(library)) {}

  std::unique_ptr<Library> library_;
};

}  // namespace gpuhost::nvml
