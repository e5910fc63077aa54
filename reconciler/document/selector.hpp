#pragma once

#include <optional>
#include <string>

#include "document/map_reader.hpp"

namespace gpuhost {

/// Which GPUs an entry is about.
struct GpuSelector {
  enum class By { address, pci_id, slot, model, uuid, serial, all };
  enum class Missing { refuse, skip };

  By by = By::all;
  std::string value;               ///< normalised: addresses, ids and UUIDs in lower case; empty for all
  std::optional<unsigned> expect;  ///< how many GPUs it must match; nothing: at least one
  Missing missing = Missing::refuse;

  /// Whether it may match more than one GPU.
  [[nodiscard]] bool may_match_several() const;
  /// "0000:41:00.0", "10de:2331", "all": names an entry that has no name.
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] bool same_gpus_as(const GpuSelector& other) const {
    return by == other.by && value == other.value;
  }
};

/// Nothing on any problem, which is then reported.
[[nodiscard]] std::optional<GpuSelector> decode_selector(const Value& match);

}  // namespace gpuhost
