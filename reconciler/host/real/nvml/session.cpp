#include "host/real/nvml/session.hpp"

#include <fmt/format.h>
#include <unistd.h>

namespace gpuhost::nvml {

namespace {

struct Meaning {
  Return value;
  ErrorKind kind;
  const char* advice;
};

constexpr Meaning meanings[] = {
    {invalid_argument, ErrorKind::invalid, ""},
    {not_supported, ErrorKind::unsupported, ""},
    {no_permission, ErrorKind::denied, "run as root"},
    {not_found, ErrorKind::not_found, ""},
    {driver_not_loaded, ErrorKind::unavailable, "load the module nvidia"},
    {timeout, ErrorKind::timed_out, "see the kernel log for NVRM"},
    {function_not_found, ErrorKind::unsupported, "a newer driver of NVIDIA's may know how"},
    {gpu_is_lost, ErrorKind::io, "see the kernel log for Xid; the GPU needs a reset or a reboot"},
    {reset_required, ErrorKind::io, "reset the GPU, or reboot"},
    {lib_rm_version_mismatch, ErrorKind::unavailable,
     "the library is of another driver than the one that is loaded: reboot, or load the new one"},
    {in_use, ErrorKind::busy, "end what uses it"},
    {insufficient_resources, ErrorKind::busy, "another instance takes its slices: plan again"},
    {argument_version_mismatch, ErrorKind::unsupported, ""},
};

Result<void> check_there(const std::string& path, const char* what) {
  if (::access(path.c_str(), F_OK) == 0) return {};
  return fail(ErrorKind::unavailable, fmt::format("{} ({} is missing)", what, path),
              "install and load NVIDIA's driver");
}

}  // namespace

Result<std::unique_ptr<Session>> Session::open(const Places& places) {
  if (auto loaded = check_there(places.module, "NVIDIA's driver is not loaded"); !loaded)
    return fail(std::move(loaded));
  if (auto node = check_there(places.control_node, "NVIDIA's driver cannot be reached"); !node)
    return fail(std::move(node));
  auto library = Library::load(places.library);
  if (!library) return fail(std::move(library));
  std::unique_ptr<Session> session(new Session(std::move(*library)));
  const auto& nvml = session->library();
  const auto opened = nvml.init_with_flags.exists() ? nvml.init_with_flags(init_no_gpus) : nvml.init();
  if (opened == success) return session;
  auto why = session->error(opened, "open NVIDIA's driver");
  session->library_.reset();  // nothing to shut down
  return std::unexpected(std::move(why));
}

Session::~Session() {
  if (library_) library_->shutdown();
}

Result<Device> Session::device(const PciAddress& address) const {
  Device found = nullptr;
  const auto answer = library_->device_by_bus_id(address.to_string().c_str(), &found);
  if (answer == success) return found;
  return std::unexpected(error(answer, fmt::format("find GPU {} in NVIDIA's driver", address.to_string())));
}

Result<std::vector<Session::Found>> Session::devices() const {
  unsigned count = 0;
  if (const auto answer = library_->device_count(&count); answer != success)
    return std::unexpected(error(answer, "count the GPUs of NVIDIA's driver"));
  std::vector<Found> devices;
  for (unsigned index = 0; index < count; ++index) {
    Found found{};
    PciInfo pci{};
    auto answer = library_->device_by_index(index, &found.device);
    if (answer == success) answer = library_->pci_info(found.device, &pci);
    if (answer != success) return std::unexpected(error(answer, fmt::format("find GPU number {}", index)));
    // Virtual functions and GPUs of several functions do not occur here: NVML's own format ends in ".0".
    found.address = {.domain = pci.domain,
                     .bus = static_cast<std::uint8_t>(pci.bus),
                     .device = static_cast<std::uint8_t>(pci.device),
                     .function = 0};
    devices.push_back(found);
  }
  return devices;
}

Error Session::error(Return value, const std::string& action) const {
  Error made{ErrorKind::io, fmt::format("cannot {}: {}", action, library_->text_of(value))};
  for (const auto& meaning : meanings) {
    if (meaning.value != value) continue;
    made.kind = meaning.kind;
    made.advice = meaning.advice;
  }
  return made;
}

}  // namespace gpuhost::nvml
