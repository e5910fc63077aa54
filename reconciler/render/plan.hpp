#pragma once

#include <string>

#include "base/json.hpp"
#include "engine/plan.hpp"
#include "render/style.hpp"

namespace gpuhost {

/// The renderings of a plan. Each is a function of the plan alone: the same plan gives the same bytes. Text
/// that may come from a host is escaped.

/// As schema/plan.schema.json says; `plan_id` is the SHA-256 of everything else.
[[nodiscard]] Json plan_json(const Plan& plan);

/// For a reader who gets nothing else: what changes, in which order, why, what it disturbs, what needs a
/// reboot, and what is in the way.
[[nodiscard]] std::string plan_text(const Plan& plan, const Style& style);

/// For a comment on a merge request (CommonMark with tables).
[[nodiscard]] std::string plan_markdown(const Plan& plan);

/// A Graphviz graph: a box for each step, an arrow for each "comes after", a frame for each phase.
[[nodiscard]] std::string plan_dot(const Plan& plan);

/// The same graph, drawn; without the arrows that follow from others.
[[nodiscard]] std::string plan_svg(const Plan& plan);

/// The parts of plan_json that other outputs have as well.
[[nodiscard]] Json finding_json(const Finding& finding);
[[nodiscard]] Json drift_json(const Plan& plan);
[[nodiscard]] Json conditions_json(const Plan& plan);
[[nodiscard]] Json host_json(const HostIdentity& host);

}  // namespace gpuhost
