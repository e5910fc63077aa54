#include "kinds/registry.hpp"

#include <utility>

#include <fmt/format.h>

#include "kinds/document_specs.hpp"
#include "kinds/unsupported.hpp"

namespace gpuhost {

namespace {

/// The order is the kinds' rank: it settles ties in a plan, and nothing else.
Kinds make_kinds(DocumentSpecs specs) {
  Kinds kinds;
  kinds.push_back(make_virtualization(specs.virtualization));
  kinds.push_back(make_kernel_parameters(std::move(specs.kernel_parameters)));
  kinds.push_back(make_kernel_modules(std::move(specs.kernel_modules)));
  kinds.push_back(make_units(std::move(specs.units)));
  return kinds;
}

}  // namespace

std::optional<DecodedDocument> decode_document(Diagnostics& diagnostics) {
  auto specs = decode_specs(diagnostics);
  if (!specs) return std::nullopt;
  DecodedDocument decoded;
  decoded.hosts = std::move(specs->hosts);
  decoded.overridden = std::move(specs->overridden);
  decoded.unsupported = unsupported_parts(*specs, diagnostics);
  decoded.desired.name = std::move(specs->name);
  decoded.desired.sha256 = std::move(specs->sha256);
  decoded.desired.policy = std::move(specs->policy);
  decoded.desired.kinds = make_kinds(std::move(*specs));
  return decoded;
}

Kinds all_kinds() {
  return make_kinds({});
}

}  // namespace gpuhost
