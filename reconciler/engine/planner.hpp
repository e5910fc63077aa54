#pragma once

#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "engine/kind.hpp"
#include "engine/plan.hpp"
#include "host/abandoned_writes.hpp"

namespace gpuhost {

/// The kinds of one document, in registry order; the order is a kind's rank.
using Kinds = std::vector<std::unique_ptr<Kind>>;

/// One look at the host by every kind, in their order.
using Observations = std::vector<std::unique_ptr<const Observation>>;

[[nodiscard]] Observations observe_all(const Kinds& kinds, const HostView& host);

/// What planning needs to know beside kinds and observations.
struct PlanContext {
  HostIdentity host;
  std::string document;
  std::string document_sha256;
  const Ownership& owned;
  const Policy& policy;
  bool running = true;
  /// Releases that the engine still owes from an earlier round: their steps are its own and not planned
  /// again.
  std::vector<StepAction> owed = {};
  Scope scope = Scope::all;
  AbandonedWrites abandoned = {};
};

/// Links the steps of all kinds by facts, adds brackets, orders, cuts into phases, and checks policy,
/// protection and ownership. Never fails: what cannot be run is in the plan with the reason, a cycle with the
/// names along it.
[[nodiscard]] Plan make_plan(const Kinds& kinds, const Observations& seen, const PlanContext& context);

}  // namespace gpuhost
