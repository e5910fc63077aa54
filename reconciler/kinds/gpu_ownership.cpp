#include "kinds/gpu_ownership.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "kinds/gpu_selection.hpp"

namespace gpuhost {

bool is_owned_of_some_gpu(const FileReader& files, std::string_view field) {
  const auto owned = Ownership::load(files);
  return owned && std::ranges::any_of(owned->addresses(), [&](const std::string& object) {
           return gpu_of_object(object, field).has_value();
         });
}

const Inventory* gpus_or_none(const Result<Inventory>& inventory) {
  static const Inventory none;
  if (inventory) return &*inventory;
  return inventory.error().kind == ErrorKind::not_found ? &none : nullptr;
}

Step forget_step(std::string_view kind, const std::string& object, Json now) {
  Step step;
  step.action = {std::string(kind), forget_verb, object, Json::object()};
  step.actions = {"release"};
  step.title = fmt::format("leave {} as it is", object);
  step.progress = fmt::format("leaving {}", object);
  step.before = now;
  step.after = std::move(now);
  step.gives_back = object;
  step.reason = ActionReason::removed_from_desired;
  return step;
}

}  // namespace gpuhost
