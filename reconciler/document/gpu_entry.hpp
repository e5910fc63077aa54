#pragma once

#include <optional>
#include <string>

#include "document/located.hpp"
#include "document/map_reader.hpp"
#include "document/selector.hpp"

namespace gpuhost {

/// What the GPU is used for; all kinds that manage GPUs share it.
enum class GpuMode { vgpu, passthrough, bare_metal };

[[nodiscard]] std::string_view to_string(GpuMode mode);

/// What an entry of `gpus` says to all kinds. The other keys are claimed by the kind they belong to.
struct GpuEntry {
  std::optional<Located<std::string>> name;
  Mark mark;                            ///< of the entry
  Mark match_mark;                      ///< of what selects its GPUs
  std::optional<GpuSelector> selector;  ///< nothing only if the document has a problem there
  std::optional<Located<GpuMode>> mode;

  /// Its name, or what it selects.
  [[nodiscard]] std::string label() const;
};

/// Claims `name`, `match` and `mode`.
[[nodiscard]] GpuEntry decode_gpu_entry(MapReader& gpu);
/// Claims `mode` alone, for a layout.
[[nodiscard]] std::optional<Located<GpuMode>> decode_gpu_mode(MapReader& gpu);

}  // namespace gpuhost
