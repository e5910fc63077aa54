#include "kinds/vgpu/wanted.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

namespace gpuhost {

bool lists_vgpus(const ForGpus<VgpuSpec>& entry) {
  const auto& mode = entry.entry.mode;
  return entry.spec.vgpus || (mode && **mode != GpuMode::vgpu);
}

std::vector<WantedVgpu> wanted_vgpus(const VgpuSpec& spec, const std::string& gpu, const Uuid& space) {
  std::vector<WantedVgpu> wanted;
  if (!spec.vgpus) return wanted;
  for (const auto& vgpus : **spec.vgpus)
    for (unsigned index = 0; index < vgpus.count; ++index) {
      WantedVgpu one{.name = fmt::format("{}/{}", *vgpus.name, index),
                     .uuid = vgpu_uuid(space, gpu, named(vgpus), index),
                     .spec = &vgpus};
      if (index < vgpus.vfs.size()) one.function = vgpus.vfs[index];
      if (vgpus.placement && index < (**vgpus.placement).size()) one.placement = (**vgpus.placement)[index];
      wanted.push_back(std::move(one));
    }
  return wanted;
}

NamedVgpus named(const VgpuSpec::Vgpus& vgpus) {
  NamedVgpus named{.name = *vgpus.name, .count = vgpus.count, .uuids = {}, .vfs = vgpus.vfs};
  std::ranges::transform(vgpus.uuids, std::back_inserter(named.uuids), &Located<Uuid>::value);
  return named;
}

}  // namespace gpuhost
