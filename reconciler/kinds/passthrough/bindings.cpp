#include "kinds/passthrough/bindings.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace gpuhost {

namespace {

/// Names of drivers become parts of paths.
bool is_driver_name(std::string_view name) {
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

std::optional<std::string> driver_at(const Json& entry, const char* key) {
  const auto found = entry.find(key);
  if (found == entry.end() || !found->is_string()) return std::nullopt;
  auto name = found->get<std::string>();
  return is_driver_name(name) ? std::optional(std::move(name)) : std::nullopt;
}

}  // namespace

Binding binding_of(const PciFunction& function) {
  return {function.address, function.driver, function.driver_override};
}

bool agrees(const Binding& now, const Binding& goal) {
  return now.driver == goal.driver &&
         (now.driver_override.empty() || now.driver_override == goal.driver_override);
}

bool keeps_group_viable(std::string_view driver) {
  return driver.empty() || driver == "pci-stub" || underscored(driver).contains("vfio");
}

Json json_of(const std::vector<Binding>& bindings) {
  Json json = Json::object();
  for (const auto& binding : bindings)
    json[binding.address.to_string()] = {{"driver", binding.driver}, {"override", binding.driver_override}};
  return json;
}

std::optional<std::vector<Binding>> bindings_from(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  std::vector<Binding> bindings;
  for (const auto& [key, entry] : json.items()) {
    const auto address = PciAddress::parse(key);
    if (!address || !entry.is_object()) return std::nullopt;
    auto driver = driver_at(entry, "driver");
    auto driver_override = driver_at(entry, "override");
    if (!driver || !driver_override) return std::nullopt;
    bindings.push_back({*address, *std::move(driver), *std::move(driver_override)});
  }
  return bindings;
}

Json drivers_json(const std::vector<Binding>& bindings) {
  Json json = Json::object();
  for (const auto& binding : bindings)
    json[binding.address.to_string()] = binding.driver.empty() ? Json() : Json(binding.driver);
  return json;
}

}  // namespace gpuhost
