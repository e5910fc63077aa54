#include "kinds/vgpu/placing.hpp"

#include <algorithm>
#include <ranges>

#include <fmt/format.h>

#include "base/text.hpp"

namespace gpuhost {

namespace {

/// The virtual functions of one GPU, and which have a vGPU or are promised one.
class Functions {
 public:
  explicit Functions(const GpuCase& on) : on_(on) {
    if (on.is_yet_to_come()) {
      for (unsigned index = 0; on.gpu.total_functions && index < *on.gpu.total_functions; ++index)
        usable_.emplace(index, std::nullopt);
    } else {
      for (const auto& function : on.gpu.functions)
        if (on.supported.available.contains(function.address))
          usable_.emplace(function.index, function.address);
    }
  }

  void keep(const MediatedDevice& vgpu) {
    for (const auto& function : on_.gpu.functions)
      if (function.address == vgpu.parent) taken_by_.emplace(function.index, vgpu.uuid.to_string());
  }

  [[nodiscard]] bool is_free(unsigned index) const {
    return usable_.contains(index) && !taken_by_.contains(index);
  }
  [[nodiscard]] std::optional<unsigned> lowest_free() const {
    for (const auto& [index, address] : usable_)
      if (is_free(index)) return index;
    return std::nullopt;
  }
  Place take(unsigned index, const WantedVgpu& vgpu) {
    taken_by_.emplace(index, vgpu.name);
    return {.parent = usable_.at(index), .function = index, .problem = {}};
  }

  [[nodiscard]] std::string why_not(unsigned index) const {
    if (const auto taken = taken_by_.find(index); taken != taken_by_.end())
      return fmt::format("virtual function {} of {} has vGPU {}: choose another in 'vfs'{}", index,
                         on_.title(), taken->second, free_ones());
    return fmt::format("{} has no virtual function {} that can be a vGPU: choose another in 'vfs'{}",
                       on_.title(), index, free_ones());
  }
  [[nodiscard]] std::string why_none() const {
    return fmt::format("all {} virtual functions of {} are in use: list fewer vGPUs", usable_.size(),
                       on_.title());
  }

 private:
  [[nodiscard]] std::string free_ones() const {
    std::vector<std::string> free;
    for (const auto& [index, address] : usable_)
      if (is_free(index)) free.push_back(std::to_string(index));
    return free.empty() ? "; none is free" : fmt::format("; free are {}", join(free, ", "));
  }

  const GpuCase& on_;
  std::map<unsigned, std::optional<PciAddress>> usable_;  ///< those to come have no address yet
  std::map<unsigned, std::string> taken_by_;
};

/// The virtual function that a vGPU was made on before, as its record has it.
std::optional<unsigned> recorded_function(const WantedVgpu& vgpu, const Ownership::Objects& owned) {
  const auto object = owned.find(vgpu_object(vgpu.uuid));
  if (object == owned.end() || !object->second.applied.is_object()) return std::nullopt;
  const auto& applied = object->second.applied;
  const auto function = applied.find("function");
  if (function == applied.end() || !function->is_number_unsigned()) return std::nullopt;
  return function->get<unsigned>();
}

}  // namespace

std::vector<Place> places_for(const GpuCase& on, const std::vector<const WantedVgpu*>& missing,
                              const std::vector<const MediatedDevice*>& kept,
                              const Ownership::Objects& owned) {
  std::vector<Place> places(missing.size());
  if (!on.uses_functions()) {
    for (std::size_t i = 0; i < missing.size(); ++i) {
      places[i].parent = on.gpu.address;
      if (missing[i]->function)
        places[i].problem =
            fmt::format("{} makes vGPUs without virtual functions: leave out 'vfs'", on.title());
    }
    return places;
  }
  Functions functions(on);
  for (const auto* vgpu : kept) functions.keep(*vgpu);
  std::vector<bool> placed(missing.size());
  for (std::size_t i = 0; i < missing.size(); ++i) {
    if (!missing[i]->function) continue;
    const auto index = *missing[i]->function;
    placed[i] = true;
    places[i] = functions.is_free(index)
                    ? functions.take(index, *missing[i])
                    : Place{.parent = {}, .function = index, .problem = functions.why_not(index)};
  }
  for (std::size_t i = 0; i < missing.size(); ++i) {
    const auto before = recorded_function(*missing[i], owned);
    if (placed[i] || !before || !functions.is_free(*before)) continue;
    placed[i] = true;
    places[i] = functions.take(*before, *missing[i]);
  }
  for (std::size_t i = 0; i < missing.size(); ++i) {
    if (placed[i]) continue;
    const auto lowest = functions.lowest_free();
    places[i] = lowest ? functions.take(*lowest, *missing[i])
                       : Place{.parent = {}, .function = {}, .problem = functions.why_none()};
  }
  return places;
}

}  // namespace gpuhost
