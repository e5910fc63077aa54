#include <chrono>

#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/boards.hpp"
#include "kinds/vgpu/mechanism.hpp"
#include "kinds/vgpu/params.hpp"
#include "kinds/vgpu/supported_types.hpp"

namespace gpuhost {

namespace {

/// The kernel makes and removes a mediated device within the write; its files follow at once. Source: Linux
/// drivers/vfio/mdev/mdev_sysfs.c.
constexpr std::chrono::seconds device_limit{15};

class MediatedVgpu final : public VgpuMechanism {
 public:
  MediatedVgpu(const Uuid& uuid, const std::optional<PciAddress>& parent) : uuid_(uuid), parent_(parent) {}

  [[nodiscard]] Result<Made> made(const HostView& host) const override {
    auto device = read_mediated_device(host.files, uuid_);
    if (!device) return std::unexpected(device.error());
    return Made{device->parent, std::move(device->type)};
  }

  Result<void> make(const std::string& type, Host& host) const override {
    const auto directory = directory_of_type(host.view.files, *parent_, type);
    if (!directory) return std::unexpected(directory.error());
    const auto uuid = uuid_.to_string();
    if (auto written = host.files.write_attribute(*directory + "/create", uuid); !written) {
      // EEXIST: somebody else was faster.
      const auto device = read_mediated_device(host.view.files, uuid_);
      if (device && device->parent == *parent_ && catalog::same_type(device->type, type)) return {};
      if (device)
        return fail(ErrorKind::mismatch,
                    fmt::format("the UUID {} is that of a vGPU of type {} on {} already", uuid,
                                short_type(device->type), device->parent.to_string()),
                    "plan again: it is to be removed first");
      return refused(written.error(), *directory, type, host.view.files);
    }
    const auto appeared = [&] { return read_mediated_device(host.view.files, uuid_).has_value(); };
    if (host.waiter.until(appeared, device_limit)) return {};
    return fail(ErrorKind::timed_out,
                fmt::format("vGPU {} was made on {} and did not appear within {} s", uuid,
                            parent_->to_string(), device_limit.count()),
                "see the kernel log for mdev and nvidia-vgpu-vfio");
  }

  Result<void> take_away(Host& host) const override {
    const auto name = uuid_.to_string();
    const auto gone = [&] {
      const auto device = read_mediated_device(host.view.files, uuid_);
      return !device && device.error().kind == ErrorKind::not_found;
    };
    if (auto written = host.files.write_attribute(fmt::format("/sys/bus/mdev/devices/{}/remove", name), "1");
        !written) {
      if (gone()) return {};
      return std::unexpected(Error(written.error()).within(fmt::format("cannot remove vGPU {}", name)));
    }
    if (host.waiter.until(gone, device_limit)) return {};
    return fail(ErrorKind::timed_out,
                fmt::format("vGPU {} is still there {} s after it was removed", name, device_limit.count()),
                "see the kernel log for mdev and nvidia-vgpu-vfio");
  }

  [[nodiscard]] std::vector<Holder> holders(const HostView& host) const override {
    return usage_of(host)->of(MediatedDevice{.uuid = uuid_, .parent = {}, .type_id = {}, .type = {}});
  }

  [[nodiscard]] std::string params_path() const override { return vgpu_params_path(uuid_); }

 private:
  [[nodiscard]] std::unexpected<Error> refused(const Error& why, const std::string& directory,
                                               const std::string& type, const FileReader& files) const {
    const auto available = files.read(directory + "/available_instances");
    auto error =
        Error(why).within(fmt::format("the driver makes no vGPU {} on {}", type, parent_->to_string()));
    error.advice =
        fmt::format("it has {} more of this type there; see the kernel log for NVRM and nvidia-vgpu-vfio",
                    available ? trim(*available) : "no");
    return std::unexpected(std::move(error));
  }

  Uuid uuid_;
  std::optional<PciAddress> parent_;
};

}  // namespace

std::unique_ptr<VgpuMechanism> mediated_vgpu(const Uuid& uuid, const std::optional<PciAddress>& parent) {
  return std::make_unique<MediatedVgpu>(uuid, parent);
}

std::unique_ptr<VgpuMechanism> vgpu_mechanism(const FileReader& files, const Uuid& uuid,
                                              const std::optional<PciAddress>& parent) {
  const bool by_vendor =
      parent &&
      files.exists(fmt::format("/sys/bus/pci/devices/{}/nvidia/current_vgpu_type", parent->to_string()))
          .value_or(false);
  return by_vendor ? vendor_specific_vgpu(*parent) : mediated_vgpu(uuid, parent);
}

}  // namespace gpuhost
