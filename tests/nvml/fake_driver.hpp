#pragma once

#include <cstdlib>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "adapters/scratch_directory.hpp"
#include "base/json.hpp"
#include "host/real/nvml/nvml_gpus.hpp"
#include "support/source_folder.hpp"

namespace gpuhost::testing {

inline const PciAddress a100 = PciAddress::parse("0000:41:00.0").value();
inline const PciAddress a40 = PciAddress::parse("0000:61:00.0").value();

/// The adapter on the library for tests, and the state that this works on: an A100 and an A40.
class OnFakeDriver : public ::testing::Test {
 protected:
  OnFakeDriver() {
    scratch.write("/module/version", "580.65.06\n");
    scratch.write("/nvidiactl", "");
    std::ifstream file(source_folder() / "tests/nvml/a100.json");
    state(Json::parse(file));
    ::setenv("GPUHOST_NVML_STATE", scratch.path("/state.json").c_str(), 1);
  }

  [[nodiscard]] Json state() const { return Json::parse(scratch.read("/state.json")); }
  void state(const Json& json) const { scratch.write("/state.json", json.dump(1)); }
  template <class Change>
  void with_state(Change change) const {
    auto json = state();
    change(json);
    state(json);
  }
  /// The nth call from now returns the value, and does nothing.
  void fail_call(const char* function, int value, unsigned nth = 1) const {
    with_state([&](Json& json) {
      json["faults"].push_back({{"function", function}, {"nth", nth}, {"returns", value}});
    });
  }
  [[nodiscard]] NvmlGpus gpus() const { return NvmlGpus(places()); }
  [[nodiscard]] nvml::Places places() const {
    return {
        .library = library, .module = scratch.path("/module"), .control_node = scratch.path("/nvidiactl")};
  }
  [[nodiscard]] GpuReport report(const PciAddress& gpu = a100) const {
    const auto reports = gpus().gpus();
    EXPECT_TRUE(reports && reports->contains(gpu));
    return reports && reports->contains(gpu) ? reports->at(gpu) : GpuReport{};
  }
  [[nodiscard]] std::vector<GpuInstance> instances() const { return *report().mig->instances; }
  void partition() const { EXPECT_EQ(*gpus().set_mig_mode(a100, true), (GpuSwitch{true, true})); }
  template <class T>
  static ErrorKind refusal(const Result<T>& done) {
    EXPECT_FALSE(done);
    return done ? ErrorKind::io : done.error().kind;
  }

  ScratchDirectory scratch;
  std::string library = GPUHOST_NVML_TODAY;
};

}  // namespace gpuhost::testing
