#include "cli/exported_gpu_modes.hpp"

#include <fmt/format.h>

#include "kinds/gpu_selection.hpp"
#include "peers/document_draft.hpp"

namespace gpuhost {

void add_modes(const Gpu& gpu, const GpuReport& report, const Ownership::Objects& owned, GpuSpecs& specs) {
  using Sizes = VgpuSpec::Sizes;
  if (report.mixed_sizes && (*report.mixed_sizes || owned.contains(gpu_object(gpu, "sizes"))))
    specs.vgpu.sizes = Located{*report.mixed_sizes ? Sizes::mixed : Sizes::equal, Mark{}};
}

void add_mode_entries(const GpuSpecs& gpu, const ExportFacts& facts, Node& entry) {
  const auto is_so = [&](const char* field) {
    return facts.in_sync(fmt::format("gpu[{}].{}", **gpu.entry.name, field));
  };
  if (gpu.vgpu.sizes && is_so("sizes"))
    add_entry(entry, "sizes", plain_node(**gpu.vgpu.sizes == VgpuSpec::Sizes::mixed ? "mixed" : "equal"));
}

}  // namespace gpuhost
