#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "document/gpu_entry.hpp"
#include "engine/planner.hpp"
#include "kinds/fake_host.hpp"
#include "support/plan_titles.hpp"

namespace gpuhost::testing {

/// Answers facts as it is told, for kinds that are not part of a test.
class Answers final : public Kind {
 public:
  explicit Answers(std::set<Fact> facts) : facts_(std::move(facts)) {}
  [[nodiscard]] std::string_view name() const override { return "answers"; }
  [[nodiscard]] std::unique_ptr<const Observation> observe(const HostView&) const override {
    struct Nothing final : Observation {
      [[nodiscard]] Json describe() const override { return nullptr; }
    };
    return std::make_unique<Nothing>();
  }
  [[nodiscard]] Proposal plan(const Observation&, const PlanInput&) const override { return {}; }
  [[nodiscard]] std::optional<Truth> holds(const Fact& fact, const Observation&) const override {
    return facts_.contains(fact) ? std::optional(Truth::of(true)) : std::nullopt;
  }
  [[nodiscard]] Result<bool> satisfied(const StepAction&, const HostView&) const override { return true; }
  [[nodiscard]] Result<std::optional<Undo>> undo_of(const StepAction&, const HostView&) const override {
    return std::nullopt;
  }
  Result<void> run(const StepAction&, Host&) const override { return {}; }

 private:
  std::set<Fact> facts_;
};

inline GpuEntry entry_of(const char* name, const char* address, std::optional<GpuMode> mode) {
  GpuEntry entry;
  entry.name = Located{std::string(name), Mark{}};
  entry.selector = GpuSelector{.by = GpuSelector::By::address, .value = address};
  if (mode) entry.mode = Located{*mode, Mark{}};
  return entry;
}

/// The whole plan of some kinds for the document "doc".
inline Plan plan_of(const Kinds& kinds, const FakeHost& host, const Policy& policy,
                    const Ownership& owned = {}) {
  return make_plan(kinds, observe_all(kinds, host.view()),
                   {.host = {}, .document = "doc", .document_sha256 = {}, .owned = owned, .policy = policy});
}

}  // namespace gpuhost::testing
