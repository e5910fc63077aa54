#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "document/diagnostics.hpp"
#include "engine/kind.hpp"
#include "engine/policy.hpp"
#include "kinds/document_specs.hpp"

namespace gpuhost {

/// What a host's own local.yaml lets documents do. A list is exhaustive, in globs; nothing: anything goes.
struct HostLimits {
  using Names = std::optional<std::vector<std::string>>;
  PolicyCeiling ceiling;
  Names sources;     ///< paths of drivers' files, or names of packages
  Names parameters;  ///< of the kernel; `-` and `_` are the same, as in modules
  Names modules;
};

/// Decodes the only source of `diagnostics`. Nothing on any problem, which is then there. Adds to
/// `known_keys`, if given, every key that the decoder knows, as a path.
[[nodiscard]] std::optional<HostLimits> decode_host_limits(Diagnostics& diagnostics,
                                                           std::set<std::string>* known_keys = nullptr);

/// Something that a document names and a host may not allow.
struct LimitedPart {
  enum class Sort { source, parameter, module };
  Sort sort;
  std::string name;
  std::string address;  ///< as in the plan: "kernel.modules[vfio_pci]"
};

[[nodiscard]] std::vector<LimitedPart> limited_parts(const DocumentSpecs& specs);

/// An error note for each part that is not allowed; a merged driver is allowed by its very name only.
[[nodiscard]] std::vector<Note> forbidden(const std::vector<LimitedPart>& parts, const HostLimits& limits);

}  // namespace gpuhost
