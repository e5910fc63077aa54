#pragma once

#include <gtest/gtest.h>

#include "kinds/fake_host.hpp"

namespace gpuhost::testing {

/// Runs the steps in the order of the proposal, with the records an executor would keep. Steps that need a
/// fact of another step of the proposal come after it.
inline void run_all(Kind& kind, const Proposal& proposal, FakeHost& fake, Ownership& owned) {
  auto host = fake.host();
  std::vector<const Step*> left;
  for (const auto& step : proposal.steps) left.push_back(&step);
  while (!left.empty()) {
    const auto ready = std::ranges::find_if(left, [&](const Step* step) {
      return std::ranges::none_of(step->needs, [&](const Fact& need) {
        return std::ranges::any_of(left, [&](const Step* other) {
          return other != step && std::ranges::find(other->provides, need) != other->provides.end();
        });
      });
    });
    ASSERT_NE(ready, left.end()) << "a cycle";
    const Step& step = **ready;
    left.erase(ready);
    ASSERT_TRUE(step.blocked_by.empty()) << step.title << ": " << step.blocked_by.front();
    if (step.claims) owned.claim("doc", *step.claims);
    if (!kind.satisfied(step.action, host.view).value_or(false)) {
      const auto ran = kind.run(step.action, host);
      ASSERT_TRUE(ran) << step.title << ": " << ran.error().message;
    }
    const auto done = kind.satisfied(step.action, host.view);
    ASSERT_TRUE(done) << step.title << ": " << done.error().message;
    EXPECT_TRUE(*done) << step.title << " did not read back";
    if (step.gives_back) owned.give_back("doc", *step.gives_back);
  }
}

inline const Finding& finding(const Proposal& proposal, const std::string& address) {
  const auto found = std::ranges::find(proposal.findings, address, &Finding::address);
  if (found == proposal.findings.end()) throw std::out_of_range("no finding " + address);
  return *found;
}

inline std::vector<std::string> titles(const Proposal& proposal) {
  std::vector<std::string> found;
  for (const auto& step : proposal.steps) found.push_back(step.title);
  return found;
}

}  // namespace gpuhost::testing
