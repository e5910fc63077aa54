#include <gtest/gtest.h>

#include "host/sim/sim_host.hpp"

namespace gpuhost {
namespace {

using namespace std::chrono_literals;

HostFile host() {
  HostFile made;
  made.name = "test";
  made.units["up.service"].state = {"loaded", "active", "exited", "enabled"};
  made.units["down.service"].state = {"loaded", "inactive", "dead", "disabled"};
  made.units["down.socket"].state = {"loaded", "inactive", "dead", "disabled"};
  made.units["masked.service"].state = {"masked", "inactive", "dead", "masked"};
  made.units["static.service"].state = {"loaded", "inactive", "dead", "static"};
  made.units["stubborn.service"] = {{"loaded", "active", "running", "enabled"}, true, {}};
  return made;
}

TEST(SimUnits, StartsAndStops) {
  SimHost sim(host());
  auto& units = sim.host().units;
  ASSERT_TRUE(units.start("down.service", 10s));
  ASSERT_TRUE(units.start("down.socket", 10s));
  EXPECT_EQ(*sim.view().units.state("down.service"), (UnitState{"loaded", "active", "running", "disabled"}));
  EXPECT_EQ(sim.view().units.state("down.socket")->sub_state, "listening");
  ASSERT_TRUE(units.start("up.service", 10s));
  EXPECT_EQ(sim.view().units.state("up.service")->sub_state, "exited") << "it was up and is left alone";
  ASSERT_TRUE(units.stop("up.service", 10s));
  EXPECT_EQ(*sim.view().units.state("up.service"), (UnitState{"loaded", "inactive", "dead", "enabled"}));
}

TEST(SimUnits, AUnitWithoutFileIsNotFoundAndCannotBeChanged) {
  SimHost sim(host());
  auto& units = sim.host().units;
  EXPECT_EQ(*sim.view().units.state("none.service"), (UnitState{"not-found", "inactive", "dead", ""}));
  EXPECT_EQ(units.start("none.service", 10s).error().kind, ErrorKind::not_found);
  EXPECT_EQ(units.stop("none.service", 10s).error().kind, ErrorKind::not_found);
  EXPECT_EQ(units.enable("none.service").error().kind, ErrorKind::not_found);
}

TEST(SimUnits, AMaskedUnitCannotStart) {
  SimHost sim(host());
  const auto started = sim.host().units.start("masked.service", 10s);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().message, "cannot start unit masked.service: it is masked");
  EXPECT_FALSE(sim.host().units.enable("masked.service"));
}

TEST(SimUnits, AUnitMayRefuseToStopUntilTheLimit) {
  SimHost sim(host());
  const auto before = sim.view().clock.since_boot();
  const auto stopped = sim.host().units.stop("stubborn.service", 90s);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().kind, ErrorKind::timed_out);
  EXPECT_EQ(sim.view().units.state("stubborn.service")->active_state, "deactivating");
  EXPECT_GE(sim.view().clock.since_boot() - before, 90s);
}

TEST(SimUnits, EnablesWithoutStarting) {
  SimHost sim(host());
  auto& units = sim.host().units;
  ASSERT_TRUE(units.enable("down.service"));
  ASSERT_TRUE(units.enable("down.service"));
  EXPECT_EQ(*sim.view().units.state("down.service"), (UnitState{"loaded", "inactive", "dead", "enabled"}));
  ASSERT_TRUE(units.disable("up.service"));
  EXPECT_EQ(*sim.view().units.state("up.service"), (UnitState{"loaded", "active", "exited", "disabled"}));
  EXPECT_EQ(units.enable("static.service").error().message,
            "cannot enable unit static.service: it is static");
}

TEST(SimUnits, ReloadsOnlyWhatIsActive) {
  SimHost sim(host());
  EXPECT_TRUE(sim.host().units.reload("up.service", 10s));
  EXPECT_FALSE(sim.host().units.reload("down.service", 10s));
}

TEST(SimUnits, AnswersUnknownAsItWasRecorded) {
  auto file = host();
  file.units["up.service"].unknown = Error{ErrorKind::timed_out, "no answer"};
  {
    SimHost sim(file);
    EXPECT_EQ(sim.view().units.state("up.service").error().message, "no answer");
    EXPECT_FALSE(sim.host().units.stop("up.service", 1s));
  }
  file.units_unknown = Error{ErrorKind::unavailable, "no system bus"};
  SimHost sim(file);
  EXPECT_EQ(sim.view().units.state("down.service").error().message, "no system bus");
  EXPECT_EQ(sim.host().units.start("down.service", 1s).error().kind, ErrorKind::unavailable);
}

TEST(SimUnits, WhatOtherUnitsStartComesUpAgainAtBoot) {
  auto file = host();
  file.units["journal.service"].state = {"loaded", "active", "running", "static"};
  file.units["broken.service"].state = {"loaded", "failed", "failed", "static"};
  SimHost sim(file);
  ASSERT_TRUE(sim.reboot());
  EXPECT_EQ(sim.view().units.state("journal.service")->active_state, "active");
  EXPECT_EQ(sim.view().units.state("static.service")->active_state, "inactive");
  EXPECT_EQ(sim.view().units.state("broken.service")->active_state, "inactive");
}

constexpr const char* gridd = "nvidia-gridd.service";
constexpr const char* gridd_config = "/etc/nvidia/gridd.conf";
const PciAddress gpu = *PciAddress::parse("0000:41:00.0");

/// Whether the daemon got a licence when it was started with this.
bool licensed_with(const std::string& config, std::map<std::string, HostFile::Entry> files = {}) {
  auto file = host();
  file.units[gridd].state = {"loaded", "inactive", "dead", "enabled"};
  file.machine.gpus[gpu] = {};
  file.files = std::move(files);
  file.files[gridd_config] = HostFile::Text{config};
  SimHost sim(file);
  EXPECT_TRUE(sim.host().units.start(gridd, 10s));
  return sim.file().machine.gpus.at(gpu).licensed;
}

TEST(SimUnits, TheLicenceDaemonTakesALicenceFromWhereItsConfigurationSays) {
  const std::map<std::string, HostFile::Entry> token{
      {"/etc/nvidia/ClientConfigToken/a.tok", HostFile::Large{}}};
  const std::map<std::string, HostFile::Entry> elsewhere{{"/srv/tokens/a.tok", HostFile::Large{}}};
  EXPECT_TRUE(licensed_with("FeatureType=2\nServerAddress=lic.example.org\n"));
  EXPECT_FALSE(licensed_with("FeatureType=0\nServerAddress=lic.example.org\n"));
  EXPECT_FALSE(licensed_with("FeatureType=2\n#ServerAddress=lic.example.org\n"));
  EXPECT_FALSE(licensed_with("FeatureType=2\n"));
  EXPECT_TRUE(licensed_with("FeatureType=2\n", token));
  EXPECT_FALSE(licensed_with("FeatureType=2\n", elsewhere));
  EXPECT_TRUE(licensed_with("FeatureType=2\nClientConfigTokenPath=/srv/tokens\n", elsewhere));
}

TEST(SimUnits, TheLicenceDaemonReadsWhenItStarts) {
  auto file = host();
  file.units[gridd].state = {"loaded", "active", "running", "enabled"};
  file.machine.gpus[gpu] = {};
  SimHost sim(file);
  auto host = sim.host();
  ASSERT_TRUE(host.files.replace(gridd_config, "FeatureType=2\nServerAddress=lic.example.org\n"));
  ASSERT_TRUE(host.units.start(gridd, 10s));
  EXPECT_FALSE(sim.file().machine.gpus.at(gpu).licensed) << "it was up and is left alone";
  ASSERT_TRUE(sim.reboot());
  EXPECT_TRUE(sim.file().machine.gpus.at(gpu).licensed);
  ASSERT_TRUE(host.units.disable(gridd));
  ASSERT_TRUE(sim.reboot());
  EXPECT_FALSE(sim.file().machine.gpus.at(gpu).licensed);
}

}  // namespace
}  // namespace gpuhost
