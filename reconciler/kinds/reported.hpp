#pragma once

#include <memory>
#include <optional>

#include <fmt/format.h>

#include "host/gpus.hpp"
#include "inventory/inventory.hpp"
#include "kinds/gpu_facts.hpp"

namespace gpuhost {

/// One part of what NVIDIA's driver reports of a GPU. Nothing: the driver does not have the GPU. Unknown: it
/// cannot be asked, or does not tell of the GPU. `reports` null: there is no driver that could be asked.
template <class T>
[[nodiscard]] std::optional<Observed<T>> reported(const std::shared_ptr<const Result<GpuReports>>& reports,
                                                  const Gpu& gpu, Observed<T> GpuReport::* part) {
  using Seen = Observed<T>;
  if (gpu.unreadable) return Seen::unknown(gpu.unreadable->message);
  if (gpu.driver != gpu_facts::nvidia_driver) return std::nullopt;
  if (reports == nullptr) return Seen::unknown("no kernel runs under --root");
  if (!*reports) return Seen::unknown(reports->error().sentence());
  const auto found = (**reports).find(gpu.address);
  if (found == (**reports).end())
    return Seen::unknown(fmt::format("NVIDIA's driver does not tell of GPU {}", gpu.address.to_string()));
  return found->second.*part;
}

}  // namespace gpuhost
