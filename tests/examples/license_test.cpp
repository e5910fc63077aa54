#include <algorithm>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "examples/applying.hpp"
#include "host/sim/recorder.hpp"
#include "render/plan.hpp"
#include "render/verify.hpp"

// The licence of a host on bare metal, on simulated hosts.

namespace gpuhost::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* config_path = "/etc/nvidia/gridd.conf";
constexpr const char* token_path = "/srv/licences/render/a.tok";
constexpr const char* secret = "eyJhbGciOiJSUzI1NiJ9.dG9rZW4";
constexpr const char* stop = "units.stop nvidia-gridd.service";
constexpr const char* start = "units.start nvidia-gridd.service";
constexpr const char* head =
    "apiVersion: gpuhost/v1\nkind: HostState\nmetadata: {name: render}\npolicy: {disruption: reboot}\n";
const std::string by_token = std::string("license: {feature: vws, tokenFile: ") + token_path + "}\n";

HostFile host_with_token() {
  auto file = host_named("render-a40-pair");
  std::erase_if(file.files, [](const auto& entry) { return entry.first.starts_with("/srv/licences/"); });
  file.files[token_path] = HostFile::Text{secret, 0744};
  return file;
}

DecodedDocument licensed(const std::string& more = {}) {
  return document_from("license.yaml", head + by_token + more);
}

bool all_licensed(const SimHost& sim) {
  return std::ranges::all_of(sim.file().machine.gpus, [](const auto& gpu) { return gpu.second.licensed; });
}

std::string config_on(const SimHost& sim) {
  return sim.view().files.read(config_path).value_or("");
}

/// What a run has left on the host, the token itself left out.
std::string all_files(HostFile file) {
  file.files.erase(token_path);
  return write_host_file(file);
}

std::ptrdiff_t place(const std::vector<std::string>& calls, const std::string& call) {
  return std::ranges::find(calls, call) - calls.begin();
}

TEST(LicenseOnAHost, TheDaemonIsConfiguredWhileItIsDownAndGetsTheLicence) {
  SimHost sim(host_with_token());
  const auto report = apply(licensed(), sim);
  EXPECT_EQ(report.result, RunReport::Result::converged) << ::testing::PrintToString(report.errors);
  EXPECT_TRUE(all_licensed(sim));
  EXPECT_THAT(report.last.drift, IsEmpty());
  const auto calls = writes(sim);
  const auto written = place(calls, std::string("files.replace ") + config_path);
  EXPECT_LT(place(calls, stop), written);
  EXPECT_LT(written, place(calls, start));
  EXPECT_EQ(std::ranges::count(calls, stop), 1) << "once for all lines";
}

TEST(LicenseOnAHost, ItsDaemonComesWithTheDriverAndStartsConfigured) {
  auto file = host_named("kvm-a100-bare");
  const std::string digest(64, 'a');
  file.installers.push_back({.sha256 = digest, .package = {}, .flavor = "graphics", .version = "580.159.03"});
  file.files["/srv/nvidia/grid.run"] = HostFile::Large{digest};
  file.files[token_path] = HostFile::Text{secret, 0744};
  SimHost sim(file);
  const auto report = apply(licensed("driver: {flavor: graphics, version: 580.159.03, source: {runfile: "
                                     "/srv/nvidia/grid.run, sha256: " +
                                     digest + "}}\n"),
                            sim);
  EXPECT_EQ(report.result, RunReport::Result::converged) << ::testing::PrintToString(report.errors);
  EXPECT_TRUE(all_licensed(sim));
  EXPECT_EQ(config_on(sim), "FeatureType=2\nClientConfigTokenPath=/srv/licences/render\n");
}

TEST(LicenseOnAHost, ATokenThatIsAnotherOneIsReadByARestart) {
  SimHost sim(host_with_token());
  const auto document = licensed();
  ASSERT_EQ(apply(document, sim).result, RunReport::Result::converged);
  ASSERT_TRUE(plan_once(document.desired, sim.view())->empty());
  auto file = sim.file();
  file.files[token_path] = HostFile::Text{"another", 0744};
  SimHost later(file);
  const auto config = config_on(later);
  EXPECT_EQ(apply(document, later).result, RunReport::Result::converged);
  EXPECT_THAT(writes(later), ::testing::IsSupersetOf({stop, start}));
  EXPECT_EQ(config_on(later), config);
  EXPECT_TRUE(plan_once(document.desired, later.view())->empty());
}

TEST(LicenseOnAHost, LeftOutItIsGivenBack) {
  SimHost sim(host_with_token());
  const auto before = config_on(sim);
  ASSERT_EQ(apply(licensed(), sim).result, RunReport::Result::converged);
  EXPECT_EQ(apply(emptied(licensed()), sim).result, RunReport::Result::converged);
  EXPECT_EQ(config_on(sim), before);
  EXPECT_FALSE(all_licensed(sim));
  EXPECT_EQ(sim.view().units.state("nvidia-gridd.service")->active_state, "active") << "as it was";
  EXPECT_TRUE(Ownership::load(sim.view().files)->empty());
}

TEST(LicenseOnAHost, ADaemonThatWasDownIsDownAgainWhenGivenBack) {
  auto file = host_with_token();
  file.units["nvidia-gridd.service"].state = {"loaded", "inactive", "dead", "disabled"};
  SimHost sim(file);
  ASSERT_EQ(apply(licensed(), sim).result, RunReport::Result::converged);
  EXPECT_TRUE(all_licensed(sim));
  EXPECT_EQ(apply(emptied(licensed()), sim).result, RunReport::Result::converged);
  EXPECT_EQ(sim.view().units.state("nvidia-gridd.service")->active_state, "inactive");
}

TEST(LicenseOnAHost, WithoutALicenceThePlanIsEmptyAndSaysSo) {
  SimHost sim(host_with_token());
  const auto document = licensed();
  ASSERT_EQ(apply(document, sim).result, RunReport::Result::converged);
  auto file = sim.file();
  file.machine.gpus.begin()->second.licensed = false;
  const SimHost expired(file);
  const auto plan = plan_once(document.desired, expired.view());
  EXPECT_TRUE(plan->empty());
  EXPECT_THAT(verify_text(*plan, {}), HasSubstr("license.state: is unlicensed, desired licensed"));
  EXPECT_THAT(plan_text(*plan, {}), HasSubstr("has no licence (yet)"));
  file.machine.gpus_unknown = Error{ErrorKind::unavailable, "Driver/library version mismatch"};
  EXPECT_THAT(verify_text(*plan_once(document.desired, SimHost(file).view()), {}),
              HasSubstr("license.state: desired licensed (Driver/library version mismatch"));
}

/// Also where a run fails half-way, and its journal stays.
TEST(LicenseOnAHost, TheTokenIsNeverTold) {
  const auto document = licensed("units: {cron.service: {state: inactive}}\n");
  SimHost whole(host_with_token());
  std::string told = plan_text(*plan_once(document.desired, whole.view()), {}) +
                     plan_json(*plan_once(document.desired, whole.view())).dump();
  apply(document, whole);
  told += all_files(whole.file()) + verify_text(*plan_once(document.desired, whole.view()), {});
  for (const auto& kind : document.desired.kinds) told += kind->observe(whole.view())->describe().dump();
  told += write_host_file(record_host(whole.view(), [&](const HostView& view) {
    [[maybe_unused]] const auto seen = observe_all(document.desired.kinds, view);
  }));
  std::map<std::string, unsigned> seen;
  for (const auto& call : writes(whole)) {
    SimHost sim(host_with_token());
    sim.inject(call, ++seen[call], {ErrorKind::io, "injected"});
    const auto report = apply(document, sim);
    told += ::testing::PrintToString(report.errors) + all_files(sim.file());
  }
  EXPECT_THAT(told, HasSubstr(token_path));
  EXPECT_THAT(told, Not(HasSubstr(secret)));
}

}  // namespace
}  // namespace gpuhost::testing
