#include "kinds/vgpu_functions.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/text.hpp"
#include "catalog/boards.hpp"
#include "kinds/gpu_selection.hpp"

namespace gpuhost {

namespace {

constexpr std::string_view object_prefix = "vgpu[";

std::string text_in(const Json& record, const char* key) {
  const auto found = record.find(key);
  return found != record.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

/// Gives functions out, one by one.
class Sharing {
 public:
  Sharing(const Gpu& gpu, std::span<const FunctionWish> wishes) : wishes_(wishes), given_(wishes.size()) {
    const auto usable = usable_functions(gpu);
    free_.insert(usable.begin(), usable.end());
  }

  std::vector<std::optional<unsigned>> share() {
    for (std::size_t i = 0; i < wishes_.size(); ++i) give(i, wishes_[i].has);
    for (std::size_t i = 0; i < wishes_.size(); ++i) give(i, wishes_[i].said);
    for (std::size_t i = 0; i < wishes_.size(); ++i)
      if (!wishes_[i].said) give(i, lowest_free());
    return std::move(given_);
  }

 private:
  void give(std::size_t i, std::optional<unsigned> index) {
    if (!given_[i] && index && free_.erase(*index) > 0) given_[i] = index;
  }

  /// A vGPU of others that is on it goes first: the list is exhaustive.
  [[nodiscard]] std::optional<unsigned> lowest_free() const {
    return free_.empty() ? std::nullopt : std::optional(*free_.begin());
  }

  std::span<const FunctionWish> wishes_;
  std::vector<std::optional<unsigned>> given_;
  std::set<unsigned> free_;
};

}  // namespace

std::string vgpu_object(const Uuid& uuid) {
  return fmt::format("{}{}]", object_prefix, uuid.to_string());
}

std::optional<Uuid> vgpu_of_object(std::string_view object) {
  if (!object.starts_with(object_prefix) || !object.ends_with(']')) return std::nullopt;
  object.remove_prefix(object_prefix.size());
  object.remove_suffix(1);
  return Uuid::parse(object);
}

VgpuRecord vgpu_record(const Ownership::Object& object) {
  const auto& applied = object.applied;
  if (!applied.is_object()) return {};
  VgpuRecord record{.gpu = text_in(applied, "gpu"),
                    .name = text_in(applied, "name"),
                    .type = text_in(applied, "type"),
                    .parent = PciAddress::parse(text_in(applied, "parent"))};
  const auto function = applied.find("function");
  if (function != applied.end() && function->is_number_unsigned())
    record.function = function->get<unsigned>();
  return record;
}

std::optional<VgpuRecord> find_vgpu_record(const Ownership& owned, const Uuid& uuid) {
  const auto object = vgpu_object(uuid);
  for (const auto& document : owned.documents())
    if (const auto* found = owned.find(document, object)) return vgpu_record(*found);
  return std::nullopt;
}

bool has_foreign_vgpus(const Gpu& gpu, const Ownership::Objects& owned) {
  std::set<unsigned> own;  // functions
  for (const auto& [object, record] : owned)
    if (const auto known = vgpu_of_object(object) ? vgpu_record(record) : VgpuRecord{};
        known.function && is_identity_of(known.gpu, gpu))
      own.insert(*known.function);
  return std::ranges::any_of(gpu.mediated_devices,
                             [&](const auto& vgpu) { return !owned.contains(vgpu_object(vgpu.uuid)); }) ||
         std::ranges::any_of(gpu.functions, [&](const auto& function) {
           return function.vgpu_type != 0 && !own.contains(function.index);
         });
}

bool vgpus_need_functions(const Gpu& gpu) {
  const auto* board = catalog::board_of(gpu.device_id, gpu.subsystem_device_id);
  return gpu.total_functions && *gpu.total_functions > 0 && (board == nullptr || board->sriov);
}

bool has_vendor_kernel(const FileReader& files) {
  return catalog::has_vendor_functions(files.read("/proc/sys/kernel/osrelease").value_or(""));
}

bool uses_vendor_framework(const Gpu& gpu, bool vendor_kernel) {
  for (const auto& function : gpu.functions)
    if (function.framework != VgpuFramework::none)
      return function.framework == VgpuFramework::vendor_specific;
  return vendor_kernel && vgpus_need_functions(gpu);
}

FunctionWish function_wish(const Gpu& gpu, std::optional<unsigned> said,
                           const std::optional<VgpuRecord>& record) {
  FunctionWish wish{.said = said, .has = {}};
  if (record && record->function && is_identity_of(record->gpu, gpu) &&
      record->function == said.value_or(*record->function))
    wish.has = record->function;
  return wish;
}

std::vector<std::optional<unsigned>> share_functions(const Gpu& gpu, std::span<const FunctionWish> wishes) {
  return Sharing(gpu, wishes).share();
}

std::vector<unsigned> usable_functions(const Gpu& gpu) {
  std::vector<unsigned> usable;
  for (const auto& function : gpu.functions)
    if (function.framework != VgpuFramework::none) usable.push_back(function.index);
  if (!usable.empty() || !gpu.total_functions) return usable;
  for (unsigned index = 0; index < *gpu.total_functions; ++index) usable.push_back(index);
  return usable;
}

}  // namespace gpuhost
