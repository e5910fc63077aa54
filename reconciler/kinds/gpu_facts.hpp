#pragma once

#include <string>
#include <string_view>

#include "base/pci_address.hpp"
#include "base/uuid.hpp"
#include "engine/fact.hpp"

/// The facts in which the kinds of GPUs and virtual machines meet, so that each is spelt in one place. Which
/// kind answers for one, and when it is true, stands with it.
namespace gpuhost::gpu_facts {

/// Drivers that a GPU is bound to, as the kernel names them.
inline constexpr const char* vfio_driver = "vfio-pci";
inline constexpr const char* nvidia_driver = "nvidia";

[[nodiscard]] inline std::string subject(const PciAddress& gpu) {
  return "gpu/" + gpu.to_string();
}
[[nodiscard]] inline std::string subject(const Uuid& vgpu) {
  return "vgpu/" + vgpu.to_string();
}
[[nodiscard]] inline std::string vm_subject(std::string_view name) {
  return "vm/" + std::string(name);
}

/// driver: the vGPU manager is installed, so that there are sriov-manage and vGPUs.
[[nodiscard]] inline Fact manager_installed() {
  return {"driver", "of flavor vgpu-manager"};
}
/// functions: the tool that makes virtual functions, which comes with the vGPU manager.
[[nodiscard]] inline Fact sriov_manage_there() {
  return {"sriov-manage", "there"};
}
/// gpus: nobody holds the GPU, its functions or its vGPUs; of a virtual function: nobody holds that. Offered:
/// each holder's absence.
[[nodiscard]] inline Fact idle(const PciAddress& gpu) {
  return {subject(gpu), "idle"};
}
/// gpus: no guest has the vGPU. Offered: each holder's absence.
[[nodiscard]] inline Fact idle(const Uuid& vgpu) {
  return {subject(vgpu), "idle"};
}
/// gpus: the process has ended. Nobody offers it: a process of no unit and no VM is never ended.
[[nodiscard]] inline Fact gone(int pid) {
  return {"process/" + std::to_string(pid), "gone"};
}
/// passthrough: the driver is bound to the GPU and, for vfio-pci, to all of its IOMMU group.
[[nodiscard]] inline Fact bound(const PciAddress& gpu, std::string_view driver) {
  return {subject(gpu), "bound to " + std::string(driver)};
}
/// functions: the GPU has its virtual functions, each with its driver; and the contrary.
[[nodiscard]] inline Fact functions_enabled(const PciAddress& gpu) {
  return {subject(gpu), "with its virtual functions"};
}
[[nodiscard]] inline Fact functions_disabled(const PciAddress& gpu) {
  return {subject(gpu), "without virtual functions"};
}
/// ecc: no step of the plan has yet to reset the GPU. What a reset would take is made after that.
[[nodiscard]] inline Fact settled(const PciAddress& gpu) {
  return {subject(gpu), "settled"};
}
/// display_mode: no step of the plan has yet to switch the GPU to a mode in which it can have vGPUs.
[[nodiscard]] inline Fact fit_for_vgpus(const PciAddress& gpu) {
  return {subject(gpu), "fit for vGPUs"};
}
/// sizes: whether vGPUs of mixed sizes may share the GPU; if not, all have one size.
[[nodiscard]] inline Fact vgpu_sizes(const PciAddress& gpu, bool mixed) {
  return {subject(gpu), mixed ? "with vGPUs of mixed sizes" : "with vGPUs of one size"};
}
/// sizes: the GPU is in no mixed-size mode, which would go with its functions, its driver or a reset.
/// Offered: the mode is set again.
[[nodiscard]] inline Fact without_mixed_sizes(const PciAddress& gpu) {
  return {subject(gpu), "without a mixed-size mode"};
}
/// mig: the MIG mode in force.
[[nodiscard]] inline Fact mig_mode(const PciAddress& gpu, bool on) {
  return {subject(gpu), on ? "MIG mode on" : "MIG mode off"};
}
/// mig: no GPU instance is on the GPU. Offered: they are made again.
[[nodiscard]] inline Fact without_instances(const PciAddress& gpu) {
  return {subject(gpu), "without GPU instances"};
}
/// mig: nothing of MIG is on the GPU that goes with its driver: no instance, nor a mode that it forgets.
/// Offered: they are made again.
[[nodiscard]] inline Fact without_volatile_mig(const PciAddress& gpu) {
  return {subject(gpu), "without MIG state that goes with its driver"};
}
/// mig: a GPU instance of this profile is on the GPU. By the name that the GPU tells, or else the catalogue.
[[nodiscard]] inline Fact with_instance(const PciAddress& gpu, std::string_view profile) {
  return {subject(gpu), "with a GPU instance " + std::string(profile)};
}
/// vgpu: no vGPU is on the GPU instance of this id. Offered: they are made again.
[[nodiscard]] inline Fact instance_unused(const PciAddress& gpu, unsigned instance) {
  return {subject(gpu), "without vgpus on GPU instance " + std::to_string(instance)};
}
/// vgpu: no vGPU is on the GPU. Offered: they are made again.
[[nodiscard]] inline Fact without_vgpus(const PciAddress& gpu) {
  return {subject(gpu), "without vgpus"};
}
/// vgpu: the vGPU is there.
[[nodiscard]] inline Fact present(const Uuid& vgpu) {
  return {subject(vgpu), "present"};
}
/// vm_binding: the domain is off. Offered, where it may be: it is stopped and started again.
[[nodiscard]] inline Fact stopped(std::string_view vm) {
  return {vm_subject(vm), "stopped"};
}
/// vm_binding: the definition, which the next start uses, names the devices that it shall.
[[nodiscard]] inline Fact defined(std::string_view vm) {
  return {vm_subject(vm), "defined"};
}
/// vm_binding: the running guest does not have the device; a domain that is off has none. Offered: stopped.
template <class Device>
[[nodiscard]] Fact without(std::string_view vm, const Device& device) {
  return {vm_subject(vm), "without " + subject(device)};
}

}  // namespace gpuhost::gpu_facts
