#pragma once

#include "cli/export_facts.hpp"
#include "document/node.hpp"
#include "engine/ownership.hpp"
#include "host/gpus.hpp"
#include "inventory/inventory.hpp"
#include "kinds/document_specs.hpp"

namespace gpuhost {

/// Modes of a GPU that are not what it comes with, or that the document owns.
void add_modes(const Gpu& gpu, const GpuReport& report, const Ownership::Objects& owned, GpuSpecs& specs);

/// Those of them that are so, into the entry of the GPU.
void add_mode_entries(const GpuSpecs& gpu, const ExportFacts& facts, Node& entry);

}  // namespace gpuhost
