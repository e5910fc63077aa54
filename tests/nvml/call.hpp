#pragma once

#include <atomic>
#include <cstring>
#include <string_view>

#include "host/real/nvml/declarations.hpp"
#include "nvml/gpu_state.hpp"

/// What every function of the library for tests does before its own work.
namespace gpuhost::fake_nvml {

/// How often this process has opened the library.
extern std::atomic<unsigned> opened_here;

/// What a fault in the state makes of this call, if one is due.
std::optional<nvml::Return> take_fault(FakeDriver& driver, std::string_view function);

/// Whether anybody but this process keeps the GPU from being reset.
bool is_held(const FakeDriver& driver, const FakeGpu& gpu);

nvml::Return meaning_of(MigRefusal refusal);

enum class Right { anybody, root };

/// One call: `act` gets the state, which is written back if the call succeeds.
template <class Act>
nvml::Return answer(std::string_view function, Right right, Act act) {
  Locked locked;
  if (!locked.valid()) return nvml::driver_not_loaded;
  auto& driver = locked.driver();
  if (const auto fault = take_fault(driver, function)) {
    locked.save();
    return *fault;
  }
  if (opened_here == 0) return nvml::uninitialized;
  if (right == Right::root && !driver.privileged) return nvml::no_permission;
  const nvml::Return value = act(driver);
  if (value == nvml::success) locked.save();
  return value;
}

/// A call about one GPU, by its handle.
template <class Act>
nvml::Return on_gpu(std::string_view function, Right right, nvml::Device handle, Act act) {
  return answer(function, right, [&](FakeDriver& driver) {
    for (auto& gpu : driver.gpus)
      if (gpu.handle == reinterpret_cast<std::uintptr_t>(handle)) return act(driver, gpu);
    return nvml::invalid_argument;
  });
}

/// A call about a GPU instance or a compute instance, by its handle.
template <class Act>
nvml::Return on_part(std::string_view function, Right right, const void* handle, Act act) {
  return answer(function, right, [&](FakeDriver& driver) {
    for (auto& gpu : driver.gpus)
      for (const auto& [part, number] : gpu.parts)
        if (number == reinterpret_cast<std::uintptr_t>(handle)) return act(gpu, Part(part));
    return nvml::invalid_argument;
  });
}

template <class Handle>
Handle handle_of(std::uint64_t number) {
  return reinterpret_cast<Handle>(static_cast<std::uintptr_t>(number));
}

/// insufficient_size: the buffer is too small for it.
inline nvml::Return give(const std::string& text, char* buffer, unsigned size) {
  if (buffer == nullptr) return nvml::invalid_argument;
  if (text.size() >= size) return nvml::insufficient_size;
  std::memcpy(buffer, text.c_str(), text.size() + 1);
  return nvml::success;
}

}  // namespace gpuhost::fake_nvml
