#include "kinds/license/license.hpp"

#include <gmock/gmock.h>

#include "kinds/license/gridd_config.hpp"
#include "kinds/one_pass.hpp"
#include "support/gpu_files.hpp"

namespace gpuhost::testing {
namespace {

using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Verdict = Finding::Verdict;

constexpr const char* token = "/srv/tokens/a.tok";
constexpr const char* secret = "eyJhbGciOiJSUzI1NiJ9.TOKEN";
const Fact inactive{"unit/nvidia-gridd.service", "inactive"};
const Fact there{"unit/nvidia-gridd.service", "there"};

/// What NVIDIA's driver tells of two GPUs.
struct Licences final : GpuReader {
  Observed<bool> first, second;
  [[nodiscard]] Result<GpuReports> gpus() const override {
    GpuReports reports;
    reports[*PciAddress::parse("0000:41:00.0")].workstation_licensed = first;
    reports[*PciAddress::parse("0000:61:00.0")].workstation_licensed = second;
    return reports;
  }
};

Proposal planned(const LicenseSpec& spec, const FakeHost& host, const Licences& licences) {
  const HostView view{host, host, host, host, host, licences, host, host.running};
  const auto kind = make_license(spec);
  return kind->plan(*kind->observe(view), {"doc", {}, {}, host.running});
}

FakeHost host_with(const std::string& config, const char* active = "active") {
  FakeHost host;
  host.files[GriddConfig::path] = config;
  host.files[token] = secret;
  host.units[licence_service] = {"loaded", active, "", "enabled"};
  put_function(host, {.address = "0000:41:00.0"});
  put_function(host, {.address = "0000:61:00.0", .group = 11});
  return host;
}

LicenseSpec by_server() {
  return {.server = "lic.example.org", .port = 7070, .feature = "vws", .token_file = {}};
}

LicenseSpec by_token() {
  return {.server = {}, .port = {}, .feature = "vws", .token_file = token};
}

std::string dump_of(const Proposal& proposal) {
  std::string all;
  for (const auto& step : proposal.steps)
    all += step.title + step.action.arguments.dump() + step.before.dump() + step.after.dump() +
           step.claims->before.dump() + step.claims->applied.dump();
  for (const auto& finding : proposal.findings) all += finding.observed.dump() + finding.reason;
  for (const auto& note : proposal.notes) all += note.message;
  return all;
}

TEST(GriddConfig, ForeignLinesStayAndNewOnesAreWhereTheyWerePutBefore) {
  constexpr const char* text = "# comment\nFeatureType=0\nnonsense\n#ServerAddress=other\nEnableUI=TRUE";
  FakeHost host;
  host.files[GriddConfig::path] = text;
  auto config = *GriddConfig::read(host);
  config.set(gridd_key::server, "ServerAddress=a");
  config.set(gridd_key::feature, "FeatureType=2");
  ASSERT_TRUE(config.write(host));
  EXPECT_EQ(host.files[GriddConfig::path],
            "# comment\nServerAddress=a\nFeatureType=2\nnonsense\n#ServerAddress=other\nEnableUI=TRUE\n");
  config = *GriddConfig::read(host);
  config.set(gridd_key::server, std::nullopt);
  config.set(gridd_key::feature, "FeatureType=0");
  ASSERT_TRUE(config.write(host));
  EXPECT_EQ(host.files[GriddConfig::path], std::string(text) + "\n");
}

TEST(GriddConfig, SaysNothingTwiceAndEndsWithItsLastLine) {
  FakeHost host;
  host.files[GriddConfig::path] = "ServerAddress = \"a b\" \nServerPort=1\nServerPort=2\n";
  auto config = *GriddConfig::read(host);
  EXPECT_EQ(config.value_of(gridd_key::server), "a b");
  EXPECT_EQ(config.value_of(gridd_key::port), std::nullopt);
  EXPECT_EQ(config.lines_of(gridd_key::port).size(), 2U);
  for (const auto key : {gridd_key::server, gridd_key::port, gridd_key::port}) config.set(key, std::nullopt);
  ASSERT_TRUE(config.write(host));
  EXPECT_FALSE(host.files.contains(GriddConfig::path));
  EXPECT_FALSE(sets_gridd_key("ServerPort=1\nEnableUI=TRUE", gridd_key::port));
}

TEST(License, IsConfiguredWhileTheDaemonIsDownAndGivenBack) {
  auto host = host_with("FeatureType=0\n");
  Ownership owned;
  auto kind = make_license(by_server());
  const auto first = plan(*kind, host, owned, {});
  for (const auto& step : first.steps)
    EXPECT_EQ(step.claims->applied, finding(first, step.action.address).desired)
        << "or it would look drifted";
  EXPECT_EQ(titles(first),
            (std::vector<std::string>{"write ServerAddress=lic.example.org to /etc/nvidia/gridd.conf",
                                      "write ServerPort=7070 to /etc/nvidia/gridd.conf",
                                      "write FeatureType=2 to /etc/nvidia/gridd.conf"}));
  for (const auto& step : first.steps) EXPECT_EQ(step.needs, std::vector{inactive});
  run_all(*kind, first, host, owned);
  EXPECT_EQ(host.files[GriddConfig::path], "ServerAddress=lic.example.org\nServerPort=7070\nFeatureType=2\n");
  const auto again = plan(*kind, host, owned, {});
  EXPECT_THAT(again.steps, IsEmpty());
  EXPECT_EQ(finding(again, "license.port").verdict, Verdict::in_sync);
  kind = make_license(std::nullopt);
  run_all(*kind, plan(*kind, host, owned, {}), host, owned);
  EXPECT_EQ(host.files[GriddConfig::path], "FeatureType=0\n");
  EXPECT_TRUE(owned.empty());
}

TEST(License, ChangedByAnotherHandIsLeftWhenGivenBack) {
  auto host = host_with("");
  Ownership owned;
  auto kind = make_license(by_server());
  run_all(*kind, plan(*kind, host, owned, {}), host, owned);
  host.files[GriddConfig::path] = "ServerAddress=other.example.org\nFeatureType=2\n";
  kind = make_license(std::nullopt);
  run_all(*kind, plan(*kind, host, owned, {}), host, owned);
  EXPECT_EQ(host.files[GriddConfig::path], "ServerAddress=other.example.org\n");
  EXPECT_TRUE(owned.empty());
}

TEST(License, ADaemonThatIsDownIsConfiguredBeforeItStarts) {
  const auto down = planned(by_server(), host_with("", "inactive"), {});
  EXPECT_EQ(down.steps.at(0).needs_now, std::vector{inactive});
  EXPECT_THAT(down.steps.at(0).needs, IsEmpty());
  FakeHost bare;
  const auto missing = planned(by_server(), bare, {});
  EXPECT_EQ(finding(missing, "license.state").verdict, Verdict::unknown) << "there is no GPU";
  EXPECT_EQ(missing.steps.at(0).needs_now, std::vector{inactive});
  EXPECT_EQ(missing.steps.at(0).needs, std::vector{there}) << "its installer may bring the file";
  bare.running = false;
  const auto rooted = plan(*make_license(by_server()), bare, {}, {});
  EXPECT_THAT(rooted.steps.at(0).needs, IsEmpty());
  EXPECT_THAT(rooted.steps.at(0).needs_now, IsEmpty());
  EXPECT_EQ(finding(rooted, "license.state").verdict, Verdict::unknown);
}

TEST(License, ATokenIsNamedByItsFolderAndNeverTold) {
  auto host = host_with("FeatureType=2\n");
  Ownership owned;
  const auto kind = make_license(by_token());
  const auto first = plan(*kind, host, owned, {});
  EXPECT_EQ(titles(first),
            (std::vector<std::string>{"write ClientConfigTokenPath=/srv/tokens to /etc/nvidia/gridd.conf"}));
  EXPECT_THAT(dump_of(first), Not(HasSubstr(secret)));
  run_all(*kind, first, host, owned);
  EXPECT_EQ(host.files[token], secret);
  EXPECT_THAT(plan(*kind, host, owned, {}).steps, IsEmpty());

  host.files[token] = "another";
  const auto changed = plan(*kind, host, owned, {});
  ASSERT_EQ(changed.steps.size(), 1U);
  EXPECT_EQ(changed.steps[0].needs, std::vector{inactive}) << "the daemon reads it when it starts";
  EXPECT_EQ(changed.steps[0].explanation, "the token there is another one now");
  run_all(*kind, changed, host, owned);
  EXPECT_THAT(plan(*kind, host, owned, {}).steps, IsEmpty());
}

TEST(License, ATokenWhereTheDaemonLooksAnywayNeedsNoLine) {
  auto host = host_with("FeatureType=2\n");
  auto spec = by_token();
  spec.token_file = "/etc/nvidia/ClientConfigToken/a.tok";
  host.files[*spec.token_file] = secret;
  const auto seen = planned(spec, host, {});
  EXPECT_THAT(seen.steps, IsEmpty());
  EXPECT_EQ(finding(seen, "license.tokenFile").verdict, Verdict::in_sync);
}

TEST(License, ATokenThatCannotBeUsedIsSaid) {
  auto host = host_with("FeatureType=2\n");
  host.files.erase(token);
  const auto gone = planned(by_token(), host, {});
  EXPECT_EQ(finding(gone, "license.tokenFile").verdict, Verdict::differs);
  EXPECT_THAT(gone.notes, Contains(Field(&Note::severity, Note::Severity::error)));
  host.errors[token] = Error{ErrorKind::denied, "cannot open it"};
  const auto denied = planned(by_token(), host, {});
  EXPECT_EQ(finding(denied, "license.tokenFile").verdict, Verdict::unknown);
  EXPECT_TRUE(finding(denied, "license.tokenFile").permission);
  host.errors.clear();
  host.files[token] = secret;
  host.files["/srv/tokens/b.tok"] = secret;
  const auto two = planned(by_token(), host, {});
  EXPECT_THAT(two.notes, Contains(Field(&Note::message, HasSubstr("has other tokens, too (b.tok)"))));
  EXPECT_THAT(two.notes, Contains(Field(&Note::message, HasSubstr("NVIDIA asks for 0744"))));
}

TEST(License, OfTwoLinesNoneIsTakenForTheOne) {
  const auto seen = planned(by_server(), host_with("FeatureType=2\nServerPort=1\nServerPort=7070\n"), {});
  EXPECT_EQ(finding(seen, "license.port").verdict, Verdict::differs);
  EXPECT_THAT(seen.notes, Contains(Field(&Note::message, HasSubstr("2 lines of /etc/nvidia/gridd.conf set "
                                                                   "ServerPort"))));
  for (const auto& step : seen.steps) EXPECT_NE(step.action.address, "license.port");
}

TEST(License, WhatCannotBeReadIsUnknownAndNotWritten) {
  auto host = host_with("");
  host.errors[GriddConfig::path] = Error{ErrorKind::denied, "cannot open it"};
  const auto seen = planned(by_server(), host, {});
  EXPECT_THAT(seen.steps, IsEmpty());
  EXPECT_EQ(finding(seen, "license.feature").verdict, Verdict::unknown);
  EXPECT_TRUE(finding(seen, "license.feature").permission);
}

TEST(License, IsToldByTheDriverOfAllGpusThatNeedOne) {
  const auto host = host_with("ServerAddress=lic.example.org\nServerPort=7070\nFeatureType=2\n");
  const auto verdict_of = [&](Observed<bool> first, Observed<bool> second) {
    Licences licences;
    licences.first = std::move(first);
    licences.second = std::move(second);
    return finding(planned(by_server(), host, licences), "license.state").verdict;
  };
  const auto absent = Observed<bool>::absent();
  const auto unknown = Observed<bool>::unknown("no answer");
  EXPECT_EQ(verdict_of(true, true), Verdict::in_sync);
  EXPECT_EQ(verdict_of(absent, true), Verdict::in_sync);
  EXPECT_EQ(verdict_of(true, false), Verdict::differs);
  EXPECT_EQ(verdict_of(absent, absent), Verdict::differs);
  EXPECT_EQ(verdict_of(unknown, true), Verdict::unknown);
  EXPECT_EQ(verdict_of(true, unknown), Verdict::unknown);
  EXPECT_EQ(verdict_of(unknown, false), Verdict::differs);
  Licences none;
  none.first = false;
  const auto seen = planned(by_server(), host, none);
  EXPECT_EQ(finding(seen, "license.state").observed, "unlicensed");
  EXPECT_THAT(seen.notes, Contains(Field(&Note::advice, HasSubstr("journalctl -u nvidia-gridd.service"))));
}

TEST(License, AStepFromAFileSetsNothingElse) {
  auto host = host_with("");
  auto live = host.host();
  const auto kind = make_license(std::nullopt);
  const auto refusal = [&](const char* verb, Json arguments) {
    const auto ran = kind->run({"license", verb, "license.server", std::move(arguments)}, live);
    return ran ? ErrorKind::io : ran.error().kind;
  };
  EXPECT_EQ(refusal("set", {{"key", "ProxyServerAddress"}, {"line", "ProxyServerAddress=a"}}),
            ErrorKind::invalid);
  EXPECT_EQ(refusal("set", {{"key", "ServerPort"}, {"line", "ServerPort=1\nEnableUI=TRUE"}}),
            ErrorKind::invalid);
  EXPECT_EQ(refusal("set", {{"key", "ServerPort"}, {"line", "FeatureType=2"}}), ErrorKind::invalid);
  EXPECT_EQ(refusal("set", {{"key", "ServerPort"}, {"line", 7}}), ErrorKind::invalid);
  EXPECT_EQ(refusal("erase", {{"key", "ServerPort"}, {"line", nullptr}}), ErrorKind::invalid);
  EXPECT_EQ(host.writes, 0U);
}

TEST(License, UndoingPutsTheFormerLineBack) {
  auto host = host_with("FeatureType = 0\n");
  auto live = host.host();
  const auto kind = make_license(std::nullopt);
  const StepAction action{
      "license", "set", "license.feature", {{"key", "FeatureType"}, {"line", "FeatureType=2"}}};
  const auto undo = kind->undo_of(action, live.view);
  ASSERT_TRUE(undo && *undo);
  ASSERT_TRUE(kind->run(action, live));
  EXPECT_EQ(kind->satisfied((*undo)->action, live.view), false);
  ASSERT_TRUE(kind->run((*undo)->action, live));
  EXPECT_EQ(host.files[GriddConfig::path], "FeatureType = 0\n");
  host.files[GriddConfig::path] = "FeatureType=0\nFeatureType=1\n";
  EXPECT_EQ(*kind->undo_of(action, live.view), std::nullopt) << "which of them counts is not known";
}

}  // namespace
}  // namespace gpuhost::testing
