#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/uuid.hpp"
#include "engine/ownership.hpp"
#include "host/files.hpp"
#include "inventory/inventory.hpp"

/// Where vGPUs lie: asked by those who make them and by those who give them to guests.
namespace gpuhost {

/// What ownership knows a vGPU by, "vgpu[UUID]", and back.
[[nodiscard]] std::string vgpu_object(const Uuid& uuid);
[[nodiscard]] std::optional<Uuid> vgpu_of_object(std::string_view object);

/// What is on record of a vGPU that a document has made.
struct VgpuRecord {
  std::string gpu;   ///< as identity_of
  std::string name;  ///< "train/0"
  std::string type;  ///< in short
  std::optional<PciAddress> parent;
  std::optional<unsigned> function;
};
[[nodiscard]] VgpuRecord vgpu_record(const Ownership::Object& object);
/// Whichever document made it; nothing: none.
[[nodiscard]] std::optional<VgpuRecord> find_vgpu_record(const Ownership& owned, const Uuid& uuid);

/// Whether some vGPU on the GPU is not on record as this document's.
[[nodiscard]] bool has_foreign_vgpus(const Gpu& gpu, const Ownership::Objects& owned);

/// Whether vGPUs of the GPU are made of virtual functions. Turing's boards have SR-IOV, and their vGPUs on
/// the GPU itself all the same.
[[nodiscard]] bool vgpus_need_functions(const Gpu& gpu);

/// Whether the kernel that runs has the vendor-specific VFIO framework, for functions that are still to come.
[[nodiscard]] bool has_vendor_kernel(const FileReader& files);

/// Whether vGPUs of the GPU are virtual functions themselves, by sysfs; before there are functions, by the
/// kernel.
[[nodiscard]] bool uses_vendor_framework(const Gpu& gpu, bool vendor_kernel);

/// What one vGPU asks of the virtual functions of its GPU.
struct FunctionWish {
  std::optional<unsigned> said;  ///< the index that the document gives
  std::optional<unsigned> has;   ///< where it is, or is on record to have been
};
/// `said`: the index in the document. A record counts if it is of this GPU and does not contradict it.
[[nodiscard]] FunctionWish function_wish(const Gpu& gpu, std::optional<unsigned> said,
                                         const std::optional<VgpuRecord>& record);

/// The index of a virtual function for each wish; nothing: none is left, or the one that is said is not to be
/// had. Who has one keeps it; then come those that the document says, then the lowest that are free.
/// So an edit of one entry moves no other.
[[nodiscard]] std::vector<std::optional<unsigned>> share_functions(const Gpu& gpu,
                                                                   std::span<const FunctionWish> wishes);

/// Indices of the functions that can carry a vGPU: those with an interface for it; before there are
/// functions, all that the GPU can have.
[[nodiscard]] std::vector<unsigned> usable_functions(const Gpu& gpu);

}  // namespace gpuhost
