#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "document/diagnostics.hpp"
#include "engine/reconcile.hpp"
#include "kinds/document_specs.hpp"
#include "kinds/host_limits.hpp"

namespace gpuhost {

/// A part of the contract that this version accepts and cannot apply yet.
struct Unsupported {
  std::string key;    ///< "gpus[left].vgpus"
  std::string place;  ///< "host.yaml:12:5"
  std::string advice = "take the key out of the document, or use a gpuhost that knows it";
};

/// What the files of one -f say together.
struct DecodedDocument {
  Desired desired;
  std::vector<std::string> hosts;  ///< metadata.hosts; empty: any host
  std::vector<Unsupported> unsupported;
  /// Scalars that a later file with `overrides: true` replaced: "policy.disruption: none (a.yaml:3:5) → …".
  std::vector<std::string> overridden;
  std::vector<LimitedPart> limited;
  /// What the host's limits, or without any no host, let pass: said in every plan of it.
  std::vector<Note> limit_notes = {};

  /// Lowers its policy to what the host allows; what the host forbids outright is an error note.
  void hold_to(const HostLimits& limits);
};

/// Decodes and merges the sources, which are `diagnostics`' own, in order. Nothing on any problem; all
/// problems of all sources are then in `diagnostics`. `skip_missing`: as if every selector said missing:
/// skip.
[[nodiscard]] std::optional<DecodedDocument> decode_document(Diagnostics& diagnostics,
                                                             bool skip_missing = false);

/// A document that names nothing, so that all it owned is given back.
[[nodiscard]] DecodedDocument empty_document(std::string name, Policy policy);

/// The kinds of a document that may have been decoded, or made up.
[[nodiscard]] Kinds make_kinds(DocumentSpecs specs, Omitted omitted = Omitted::stay);

/// The kinds of a document that names every GPU: they look at all that planning for one may rest on.
[[nodiscard]] Kinds kinds_of_all_gpus();

/// The kinds with nothing desired, for `observe` and `export`: they look at all they know of.
[[nodiscard]] Kinds all_kinds();

}  // namespace gpuhost
