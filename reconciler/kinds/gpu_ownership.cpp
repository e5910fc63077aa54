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

std::string former_text(const Ownership::Object& owned, const Gpu& gpu, const char* key) {
  const auto text = [&](const char* at) {
    if (!owned.before.is_object()) return std::string{};
    const auto found = owned.before.find(at);
    return found != owned.before.end() && found->is_string() ? found->get<std::string>() : std::string{};
  };
  return is_identity_of(text("gpu"), gpu) ? text(key) : std::string{};
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
