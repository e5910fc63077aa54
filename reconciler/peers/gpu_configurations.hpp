#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "document/map_reader.hpp"
#include "peers/document_draft.hpp"
#include "peers/peers.hpp"

namespace gpuhost {

/// Reads what an entry of a configuration says its GPUs shall be, and yields it as keys of an entry of
/// `gpus`. `name`: of the configuration, for what is left out.
using DecodeGpus = std::function<Node(MapReader& entry, std::string_view name, DocumentDraft& draft)>;

/// Files of the form that NVIDIA's mig-parted and vgpu-device-manager share: `version: v1`, and under `key`
/// the configurations by name, each a list of entries with `devices` and `device-filter`. The one that is
/// chosen, or the only one, becomes entries of `gpus`; else all become layouts.
[[nodiscard]] std::optional<Imported> import_configurations(const PeerFiles& files, std::string_view key,
                                                            const DecodeGpus& decode);

}  // namespace gpuhost
