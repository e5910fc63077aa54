#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/result.hpp"

namespace gpuhost {

/// ../lib/gpuhost/FILE from where the running program is.
[[nodiscard]] std::string installed_part(const std::string& file);

/// That of libgpuhost-NAME.so; nothing else is ever loaded.
[[nodiscard]] std::string installed_adapter_library(const std::string& name);

/// The function gpuhost_make_NAME of the library at `path`, which is loaded for it and never closed: the
/// adapter's code lives as long as the process.
[[nodiscard]] Result<void*> adapter_factory(const std::string& name, const std::string& path);

/// An adapter in a library of its own that is loaded when it is first asked for, since what it links would
/// cost every start of gpuhost some milliseconds. Safe to call from several threads.
template <class Adapter>
class AdapterLibrary {
 public:
  /// What the library offers as gpuhost_make_NAME: a new adapter, owned by the caller, or null.
  using Factory = Adapter* (*)() noexcept;

  AdapterLibrary(std::string name, std::string path) : name_(std::move(name)), path_(std::move(path)) {}

  [[nodiscard]] Result<Adapter*> get() const {
    std::call_once(loaded_, [this] { adapter_ = load(); });
    if (!adapter_) return std::unexpected(adapter_.error());
    return adapter_->get();
  }

 private:
  [[nodiscard]] Result<std::unique_ptr<Adapter>> load() const {
    auto factory = adapter_factory(name_, path_);
    if (!factory) return fail(std::move(factory));
    std::unique_ptr<Adapter> made(reinterpret_cast<Factory>(*factory)());
    if (!made) return fail(ErrorKind::unavailable, "cannot start the " + name_ + " adapter of " + path_);
    return made;
  }

  std::string name_;
  std::string path_;
  mutable std::once_flag loaded_;
  mutable Result<std::unique_ptr<Adapter>> adapter_;
};

/// Calls `ask` on the adapter, if there is one.
template <class Adapter, class Ask>
auto with(const Result<Adapter*>& adapter, Ask ask) -> decltype(ask(**adapter)) {
  if (!adapter) return std::unexpected(adapter.error());
  return ask(**adapter);
}

}  // namespace gpuhost
