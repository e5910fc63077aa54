#pragma once

#include <vector>

#include "cli/export_facts.hpp"
#include "document/node.hpp"
#include "engine/ownership.hpp"
#include "host/host.hpp"
#include "kinds/document_specs.hpp"

namespace gpuhost {

/// What a document might say of the GPUs and domains of a host.
struct ExportedGpus {
  std::vector<GpuSpecs> gpus;
  std::vector<VmSpecs> vms;
};

/// `owned`: what the document that is to be replaced owns; it must be said again, or it is given back.
[[nodiscard]] ExportedGpus gpu_candidates(const HostView& host, const Ownership::Objects& owned);

/// `gpus` and `vms` of the document, with what is so; empty sequences if nothing is.
[[nodiscard]] Node gpus_node(const ExportedGpus& candidates, const ExportFacts& facts);
[[nodiscard]] Node vms_node(const ExportedGpus& candidates, const ExportFacts& facts);

}  // namespace gpuhost
