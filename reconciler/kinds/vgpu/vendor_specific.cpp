#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/boards.hpp"
#include "inventory/gpu_reports.hpp"
#include "kinds/vgpu/mechanism.hpp"
#include "kinds/vgpu/params.hpp"
#include "kinds/vgpu/supported_types.hpp"

namespace gpuhost {

namespace {

/// Source: github.com/proxmox/qemu-server src/PVE/QemuServer.pm, cleanup_pci_devices, which tries to clear a
/// type for ten seconds.
constexpr std::chrono::seconds type_limit{15};

/// Source of the files and their rules: NVIDIA Virtual GPU Software User Guide, "Creating an NVIDIA vGPU on a
/// Linux with KVM Hypervisor that Uses a Vendor-Specific VFIO Framework".
class VendorSpecificVgpu final : public VgpuMechanism {
 public:
  explicit VendorSpecificVgpu(const PciAddress& function) : function_(function) {}

  [[nodiscard]] Result<Made> made(const HostView& host) const override {
    const auto number = type_now(host.files);
    if (!number) return std::unexpected(number.error());
    if (*number == 0)
      return fail(ErrorKind::not_found, fmt::format("function {} is no vGPU", function_.to_string()));
    const auto inventory = inventory_of(host);
    const auto* gpu = *inventory ? (**inventory).owner_of(function_) : nullptr;
    const auto names = gpu ? vgpu_type_names(host, *gpu) : std::map<unsigned, std::string>{};
    const auto name = names.find(*number);
    return Made{function_, name == names.end() ? std::string{} : name->second};
  }

  /// The number of a type is looked up when it is written, since drivers differ in them.
  Result<void> make(const std::string& type, Host& host) const override {
    const auto creatable = creatable_types(host.view.files, function_);
    if (!creatable) return std::unexpected(creatable.error());
    const auto known = std::ranges::find_if(
        *creatable, [&](const auto& one) { return catalog::same_type(one.second, type); });
    if (known != creatable->end()) return set_type(known->first, "made a " + type, host);
    std::vector<std::string> offered;
    for (const auto& [number, name] : *creatable) offered.push_back(short_type(name));
    return fail(
        ErrorKind::not_found,
        fmt::format("the driver makes no {} of function {}: it offers {}", type, function_.to_string(),
                    offered.empty() ? "none" : join(offered, ", ")),
        "vGPUs of one GPU have one framebuffer size; see the kernel log for NVRM and nvidia-vgpu-vfio");
  }

  Result<void> take_away(Host& host) const override { return set_type(0, "cleared", host); }

  [[nodiscard]] std::vector<Holder> holders(const HostView& host) const override {
    return usage_of(host)->of(
        VirtualFunction{.index = 0, .address = function_, .driver = {}, .iommu_group = {}});
  }

  [[nodiscard]] std::string params_path() const override { return vgpu_params_path(function_); }

 private:
  [[nodiscard]] std::string type_path() const {
    return fmt::format("/sys/bus/pci/devices/{}/nvidia/current_vgpu_type", function_.to_string());
  }

  [[nodiscard]] Result<unsigned> type_now(const FileReader& files) const {
    const auto text = files.read(type_path());
    if (!text) return std::unexpected(text.error());
    const auto number = parse_unsigned(trim(*text));
    if (!number) return fail(ErrorKind::invalid, fmt::format("{} is no number", type_path()));
    return static_cast<unsigned>(*number);
  }

  Result<void> set_type(unsigned number, const std::string& done, Host& host) const {
    if (auto written = host.files.write_attribute(type_path(), std::to_string(number)); !written)
      return std::unexpected(
          Error(written.error())
              .within(fmt::format("function {} cannot be {}", function_.to_string(), done)));
    const auto is_so = [&] { return type_now(host.view.files).value_or(number + 1) == number; };
    if (host.waiter.until(is_so, type_limit)) return {};
    return fail(ErrorKind::timed_out,
                fmt::format("function {} was {} and reads otherwise after {} s", function_.to_string(), done,
                            type_limit.count()),
                "see the kernel log for NVRM and nvidia-vgpu-vfio");
  }

  PciAddress function_;
};

}  // namespace

std::unique_ptr<VgpuMechanism> vendor_specific_vgpu(const PciAddress& function) {
  return std::make_unique<VendorSpecificVgpu>(function);
}

/// A function lists what it can be made now, and its driver all that there is.
std::map<unsigned, std::string> vgpu_type_names(const HostView& host, const Gpu& gpu) {
  std::map<unsigned, std::string> names;
  const auto reports = gpu_reports_of(host);
  if (*reports)
    if (const auto found = (**reports).find(gpu.address);
        found != (**reports).end() && found->second.vgpu_types)
      names = *found->second.vgpu_types;
  for (const auto& function : gpu.functions)
    if (function.framework == VgpuFramework::vendor_specific && function.vgpu_type == 0)
      names.merge(creatable_types(host.files, function.address).value_or(std::map<unsigned, std::string>{}));
  return names;
}

}  // namespace gpuhost
