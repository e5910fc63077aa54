#include "base/text.hpp"
#include "kinds/guest_driver/kind.hpp"

namespace gpuhost {

std::unique_ptr<Kind> make_guest_driver(std::vector<GuestDriverWish> wishes, std::string host_version) {
  return std::make_unique<GuestDriver>(std::move(wishes), std::move(host_version));
}

GuestDriverState GuestDriver::look(const HostView& host) const {
  GuestDriverState state{.running = host.running, .manager = {}};
  if (wishes_.empty() || !host.running) return state;
  auto manager = host.files.read("/sys/module/nvidia_vgpu_vfio/version");
  state.manager = manager ? Observed<std::string>(std::string(trim(*manager)))
                          : Observed<std::string>::from(std::move(manager));
  return state;
}

Json GuestDriverState::describe() const {
  return Json::object();
}

}  // namespace gpuhost
