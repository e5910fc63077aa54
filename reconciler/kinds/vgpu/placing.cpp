#include "kinds/vgpu/placing.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"

namespace gpuhost {

namespace {

FunctionWish wish_of(const GpuCase& on, const WantedVgpu& vgpu, const Ownership& owned) {
  const auto* there = on.state.find(vgpu.uuid);
  const auto* function = there != nullptr ? on.gpu.function_at(there->parent) : nullptr;
  if (function != nullptr && function->index == vgpu.function.value_or(function->index))
    return {.said = vgpu.function, .has = function->index};
  return function_wish(on.gpu, vgpu.function, find_vgpu_record(owned, vgpu.uuid));
}

Place place_at(const Gpu& gpu, unsigned index) {
  const auto found = std::ranges::find(gpu.functions, index, &VirtualFunction::index);
  Place place{.parent = {}, .function = index, .placement = {}, .problem = {}};
  if (found != gpu.functions.end() && found->framework != VgpuFramework::none) place.parent = found->address;
  return place;
}

/// Who has which function, for messages.
using Given = std::vector<std::optional<unsigned>>;

std::string why_none(const GpuCase& on, const WantedVgpu& vgpu, const Given& given) {
  auto usable = usable_functions(on.gpu);
  if (!vgpu.function)
    return fmt::format("all {} virtual functions of {} are in use: list fewer vGPUs", usable.size(),
                       on.title());
  const auto index = *vgpu.function;
  const bool exists = std::ranges::find(usable, index) != usable.end();
  std::erase_if(usable,
                [&](unsigned one) { return std::ranges::find(given, std::optional(one)) != given.end(); });
  std::vector<std::string> free;
  for (const auto one : usable) free.push_back(std::to_string(one));
  const auto advice =
      "choose another in 'vfs'; " + (free.empty() ? "none is free" : "free are " + join(free, ", "));
  if (!exists)
    return fmt::format("{} has no virtual function {} that can be a vGPU: {}", on.title(), index, advice);
  const auto has_it = std::ranges::find(given, std::optional(index)) - given.begin();
  return fmt::format("virtual function {} of {} has vGPU {}: {}", index, on.title(),
                     on.wanted[static_cast<std::size_t>(has_it)].name, advice);
}

}  // namespace

std::vector<Place> places_for(const GpuCase& on, const Ownership& owned) {
  std::vector<Place> places(on.wanted.size());
  if (!on.uses_functions()) {
    for (std::size_t i = 0; i < places.size(); ++i) {
      places[i].parent = on.gpu.address;
      if (on.wanted[i].function)
        places[i].problem =
            fmt::format("{} makes vGPUs without virtual functions: leave out 'vfs'", on.title());
    }
    return places;
  }
  std::vector<FunctionWish> wishes;
  for (const auto& vgpu : on.wanted) wishes.push_back(wish_of(on, vgpu, owned));
  const auto given = share_functions(on.gpu, wishes);
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (given[i])
      places[i] = place_at(on.gpu, *given[i]);
    else
      places[i] = {.parent = {},
                   .function = on.wanted[i].function,
                   .placement = {},
                   .problem = why_none(on, on.wanted[i], given)};
  }
  return places;
}

}  // namespace gpuhost
