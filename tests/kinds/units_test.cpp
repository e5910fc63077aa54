#include "kinds/units/units.hpp"

#include "kinds/one_pass.hpp"
#include "support/ownership_text.hpp"

namespace gpuhost::testing {
namespace {

using Specs = std::vector<UnitSpec>;
constexpr const char* unit = "nvidia-vgpu-mgr.service";

FakeHost host_with(const char* active, const char* enabled) {
  FakeHost host;
  host.units[unit] = {"loaded", active, "", enabled};
  return host;
}

TEST(Units, are_enabled_and_started_and_given_back) {
  auto host = host_with("inactive", "disabled");
  Ownership owned;
  Policy policy;
  policy.disruption = Disruption::stop_units;
  auto kind = make_units(Specs{{unit, true, true}});
  run_all(*kind, plan(*kind, host, owned, policy), host, owned);
  EXPECT_EQ(host.units[unit].active_state, "active");
  EXPECT_EQ(host.units[unit].unit_file_state, "enabled");
  EXPECT_TRUE(plan(*kind, host, owned, policy).steps.empty());
  kind = make_units({});
  run_all(*kind, plan(*kind, host, owned, policy), host, owned);
  EXPECT_EQ(host.units[unit].active_state, "inactive");
  EXPECT_EQ(host.units[unit].unit_file_state, "disabled");
  EXPECT_TRUE(owned.empty());
}

TEST(Units, changed_by_another_hand_are_left_when_given_back) {
  auto host = host_with("inactive", "disabled");
  Ownership owned;
  auto kind = make_units(Specs{{unit, true, std::nullopt}});
  run_all(*kind, plan(*kind, host, owned, {}), host, owned);
  host.units[unit].unit_file_state = "masked";
  kind = make_units({});
  run_all(*kind, plan(*kind, host, owned, {}), host, owned);
  EXPECT_EQ(host.units[unit].unit_file_state, "masked");
  EXPECT_TRUE(owned.empty());
}

TEST(Units, that_cannot_be_started_or_enabled_are_blocked_with_the_reason) {
  const auto why = [](UnitState state, std::optional<bool> enabled, std::optional<bool> active) {
    FakeHost host;
    host.units[unit] = std::move(state);
    const auto seen = plan(*make_units(Specs{{unit, enabled, active}}), host, {}, {});
    return seen.steps.empty() || seen.steps[0].blocked_by.empty() ? "" : seen.steps[0].blocked_by.front();
  };
  EXPECT_TRUE(why({"masked", "inactive", "", "masked"}, {}, true).contains("unmask"));
  EXPECT_TRUE(why({"loaded", "inactive", "", "static"}, true, {}).contains("static"));
  EXPECT_EQ(why({"not-found", "inactive", "", ""}, false, false), "");
}

TEST(Units, that_are_not_there_wait_for_what_brings_them) {
  FakeHost host;
  const auto kind = make_units(Specs{{unit, {}, true}});
  const Fact there{std::string("unit/") + unit, "there"};
  const auto seen = plan(*kind, host, {}, {});
  EXPECT_EQ(seen.steps.at(0).needs, std::vector{there});
  const auto observed = kind->observe(host.view());
  EXPECT_EQ(kind->holds(there, *observed)->value, Truth::Value::no);
  EXPECT_TRUE(kind->obstacle(there, *observed).contains("is not there: install what brings it"));
}

TEST(Units, without_systemd_are_unknown) {
  FakeHost host;
  host.units_error = Error{ErrorKind::unavailable, "no systemd runs here"};
  const auto seen = plan(*make_units(Specs{{unit, true, true}}), host, {}, {});
  EXPECT_TRUE(seen.steps.empty());
  ASSERT_EQ(seen.findings.size(), 2U);
  EXPECT_EQ(seen.findings[0].verdict, Finding::Verdict::unknown);
  EXPECT_FALSE(seen.findings[0].permission);
}

TEST(Units, offer_to_stop_only_what_runs) {
  auto host = host_with("active", "enabled");
  const auto kind = make_units({});
  const Fact inactive{std::string("unit/") + unit, "inactive"};
  const auto offers = kind->offer(inactive, *kind->observe(host.view()), {"doc", {}, {}});
  ASSERT_EQ(offers.size(), 1U);
  EXPECT_EQ(offers[0].acquire->disruption, Disruption::stop_units);
  EXPECT_EQ(offers[0].acquire->provides, std::vector<Fact>{inactive});
  EXPECT_EQ(offers[0].release->action.verb, "start");
  host.units[unit].active_state = "inactive";
  EXPECT_TRUE(kind->offer(inactive, *kind->observe(host.view()), {"doc", {}, {}}).empty());
}

TEST(Units, on_their_way_are_neither_up_nor_down) {
  for (const char* state : {"activating", "deactivating"}) {
    auto host = host_with(state, "enabled");
    const auto down = plan(*make_units(Specs{{unit, std::nullopt, false}}), host, {}, {});
    ASSERT_EQ(down.steps.size(), 1U) << state;
    EXPECT_EQ(down.steps[0].actions, std::vector<std::string>{"stop"});
    EXPECT_EQ(down.findings.at(0).observed, state);
    EXPECT_EQ(make_units({})->satisfied(down.steps[0].action, host.view()), false);
    const auto up = plan(*make_units(Specs{{unit, std::nullopt, true}}), host, {}, {});
    ASSERT_EQ(up.steps.size(), 1U) << state;
    EXPECT_EQ(up.steps[0].actions, std::vector<std::string>{"start"});
  }
  auto host = host_with("failed", "enabled");
  EXPECT_TRUE(plan(*make_units(Specs{{unit, std::nullopt, false}}), host, {}, {}).steps.empty());
}

TEST(Units, that_are_gone_when_given_back_are_only_forgotten) {
  auto host = host_with("active", "enabled");
  Ownership owned;
  Policy policy;
  policy.disruption = Disruption::stop_units;
  auto kind = make_units(Specs{{unit, false, false}});
  run_all(*kind, plan(*kind, host, owned, policy), host, owned);
  host.units.clear();
  host.files[Ownership::path] = testing::text_of(owned);
  kind = make_units({});
  run_all(*kind, plan(*kind, host, owned, policy), host, owned);
  EXPECT_TRUE(owned.empty());
}

TEST(Units, that_no_document_could_name_are_not_touched_for_a_record) {
  FakeHost host;
  host.units["systemd-poweroff.service"] = {"loaded", "inactive", "dead", "static"};
  Ownership owned;
  owned.claim("doc", {"units[systemd-poweroff.service].state", "active", "inactive"});
  host.files[Ownership::path] = testing::text_of(owned);
  auto kind = make_units({});
  run_all(*kind, plan(*kind, host, owned, {}), host, owned);
  EXPECT_EQ(host.units["systemd-poweroff.service"].active_state, "inactive");
  EXPECT_TRUE(owned.empty());
}

}  // namespace
}  // namespace gpuhost::testing
