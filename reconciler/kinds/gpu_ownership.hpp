#pragma once

#include <string>
#include <string_view>

#include "engine/kind.hpp"
#include "host/files.hpp"
#include "inventory/inventory.hpp"

namespace gpuhost {

/// What becomes of modes of GPUs that a document owned and names no more.
enum class Omitted {
  stay,        ///< as they are, by nobody owned
  given_back,  ///< by `release` only
};

/// Whether some document owns this field of some GPU.
[[nodiscard]] bool is_owned_of_some_gpu(const FileReader& files, std::string_view field);

/// What the record says a field of the GPU was before, the text under this key; empty: it is of another GPU,
/// or says none.
[[nodiscard]] std::string former_text(const Ownership::Object& owned, const Gpu& gpu, const char* key);

/// The GPUs, or none where the host has no PCI bus; null: they cannot be told.
[[nodiscard]] const Inventory* gpus_or_none(const Result<Inventory>& inventory);

/// The action that only ends the ownership of an object; its goal is always reached.
inline constexpr const char* forget_verb = "forget";

/// Leaves an object that the document names no more as it is.
[[nodiscard]] Step forget_step(std::string_view kind, const std::string& object, Json now);

}  // namespace gpuhost
