#pragma once

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/recover.hpp"
#include "examples/applying.hpp"
#include "support/plan_titles.hpp"

namespace gpuhost::testing {

/// What comes out of a port whose caller is killed.
struct Killed {};

/// The host as a process leaves it that applies the document and is killed just before its nth change of the
/// host, from 1 on. Nothing: it made fewer.
inline std::optional<HostFile> killed_before(const DecodedDocument& document, const HostFile& host,
                                             std::size_t nth) {
  SimHost sim(host);
  std::size_t changes = 0;
  sim.watch([&](const SimHost::Access& access) {
    if (access.write && ++changes == nth) throw Killed{};
  });
  try {
    apply(document, sim);
  } catch (const Killed&) {
    return sim.file();
  }
  return std::nullopt;
}

/// `recover`, as a process does it that knows no document. Nothing: there is nothing to recover.
inline std::optional<RecoverReport> recover_on(SimHost& sim) {
  auto host = sim.host();
  Witness witness;
  auto report = recover(all_kinds(), host, witness);
  if (!report) throw std::runtime_error(report.error().message);
  return *std::move(report);
}

/// What is left to do, sorted: a guest that was stopped and started again has what its definition names,
/// which may order the steps of the next plan otherwise.
inline std::vector<std::string> work_left(const DecodedDocument& document, const SimHost& sim) {
  const auto plan = plan_once(document.desired, sim.view());
  if (!plan) throw std::runtime_error(plan.error().message);
  auto sorted = titles(*plan);
  std::ranges::sort(sorted);
  return sorted;
}

/// A whole run.
struct WholeRun {
  std::size_t changes = 0;  ///< calls that change the host
  HostFile end;
  /// What was left to do at the beginning, before and after each reboot, and at the end: where a run may
  /// come to rest.
  std::set<std::vector<std::string>> rests;
};

/// Notes what is left to do whenever a run may come to rest.
class RestsOfRun final : public Witness {
 public:
  RestsOfRun(const DecodedDocument& document, const SimHost& sim, WholeRun& whole)
      : document_(document), sim_(sim), whole_(whole) {}

  void planned(const Plan& plan, unsigned round) override {
    Witness::planned(plan, round);
    if (has_booted_) note();
    has_booted_ = false;
  }
  void barrier(const Plan&, bool) override {
    note();
    has_booted_ = true;
  }
  void note() { whole_.rests.insert(work_left(document_, sim_)); }

 private:
  const DecodedDocument& document_;
  const SimHost& sim_;
  WholeRun& whole_;
  bool has_booted_ = true;  // before the run
};

inline WholeRun run_whole(const DecodedDocument& document, const HostFile& host) {
  SimHost sim(host);
  WholeRun whole;
  RestsOfRun rests(document, sim, whole);
  if (!settled(apply(document, sim, rests))) throw std::runtime_error("the whole run did not settle");
  rests.note();
  whole.changes = writes(sim).size();
  whole.end = sim.file();
  return whole;
}

/// Guests that ran and are off now, and units; the vGPU manager's daemons go with its modules, and are the
/// driver's.
inline std::set<std::string> stopped(const HostFile& before, const HostFile& now) {
  std::set<std::string> stopped;
  for (const auto& [name, unit] : before.units)
    if (!name.starts_with("nvidia-vgpu") && unit.state.active_state == "active" &&
        now.units.at(name).state.active_state != "active")
      stopped.insert(name);
  for (const auto& [uri, connection] : before.domains)
    for (const auto& [name, domain] : connection.domains)
      if (domain.running && !now.domains.at(uri).domains.at(name).running) stopped.insert(name);
  return stopped;
}

}  // namespace gpuhost::testing
