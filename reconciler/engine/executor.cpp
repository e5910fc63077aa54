#include "engine/executor.hpp"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include <fmt/format.h>

#include "engine/step_run.hpp"

namespace gpuhost {

bool PhaseReport::failed() const {
  return std::ranges::find(outcomes, Outcome::failed) != outcomes.end();
}
bool PhaseReport::changed() const {
  return std::ranges::find(outcomes, Outcome::done) != outcomes.end();
}

namespace {

using Index = std::size_t;

/// One phase on its way. All members but the plan are guarded by `mutex_` while steps run.
class PhaseRun {
 public:
  PhaseRun(const Plan& plan, Index phase, StepRunner& runner, const ExecutorOptions& options)
      : plan_(plan), phase_(plan.phases[phase]), runner_(runner), options_(options) {
    for (const auto i : phase_.steps) state_[i] = State::waiting;
    report_.outcomes.assign(plan.steps.size(), Outcome::not_run);
    report_.errors.assign(plan.steps.size(), std::nullopt);
  }

  PhaseReport run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      while (start_one(lock)) {
      }
      if (running_ == 0) break;
      // A step that has ended counts until it is joined, so that there is somebody at work all the time.
      at_work(-1);
      ended_step_.wait(lock, [&] { return !ended_.empty(); });
      at_work(1);
      join_ended();
    }
    return std::move(report_);
  }

 private:
  enum class State { waiting, running, ended };

  /// Starts or settles the first step that can be; false if none can.
  bool start_one(std::unique_lock<std::mutex>& lock) {
    if (options_.interrupted && options_.interrupted->load()) report_.interrupted = stopping_ = true;
    return std::ranges::any_of(phase_.steps, [&](Index i) {
      return state_[i] == State::waiting && (settle_without_run(i) || start_if_ready(i, lock));
    });
  }

  bool settle_without_run(Index i) {
    const auto& planned = plan_.steps[i];
    if (planned.releases) return false;
    if (planned.step.provisional || stopping_ || any_before(i, Outcome::not_run))
      return settle(i, Outcome::not_run);
    if (any_before(i, Outcome::failed) || any_before(i, Outcome::skipped)) return settle(i, Outcome::skipped);
    return false;
  }

  bool settle(Index i, Outcome outcome) {
    state_[i] = State::ended;
    report_.outcomes[i] = outcome;
    return true;
  }

  bool start_if_ready(Index i, std::unique_lock<std::mutex>& lock) {
    const auto& planned = plan_.steps[i];
    if (planned.releases && !release_is_due(i)) return false;
    if (!planned.releases && !all_before_ended(i)) return false;
    if (running_ == std::max(options_.workers, 1U) || !lanes_free(planned.step)) return false;
    state_[i] = State::running;
    ++running_;
    busy_lanes_.insert(planned.step.lanes.begin(), planned.step.lanes.end());
    if (options_.workers <= 1) {
      lock.unlock();
      work(i);
      lock.lock();
      join_ended();
    } else {
      at_work(1);
      threads_.emplace(i, std::jthread([this, i] { work(i); }));
    }
    return true;
  }

  /// A release runs when what was acquired has no more users. It is settled unrun when nothing was acquired,
  /// and left waiting when a provisional step will still need it, or when the run stops: undoing what was
  /// done may need the bracket open.
  bool release_is_due(Index i) {
    const Index acquire = *plan_.steps[i].releases;
    if (!all_before_ended(i)) return false;
    if (!was_acquired(acquire)) {
      settle(i, Outcome::not_run);
      return false;
    }
    return !stopping_ && !any_before(i, Outcome::not_run);
  }

  [[nodiscard]] bool was_acquired(Index acquire) const { return report_.outcomes[acquire] == Outcome::done; }

  [[nodiscard]] bool in_phase(Index i) const { return state_.contains(i); }

  [[nodiscard]] bool all_before_ended(Index i) const {
    return std::ranges::all_of(plan_.steps[i].after, [&](Index before) {
      return !in_phase(before) || state_.at(before) == State::ended;
    });
  }

  [[nodiscard]] bool any_before(Index i, Outcome outcome) const {
    return std::ranges::any_of(plan_.steps[i].after, [&](Index before) {
      return in_phase(before) && state_.at(before) == State::ended && report_.outcomes[before] == outcome;
    });
  }

  [[nodiscard]] bool lanes_free(const Step& step) const {
    return std::ranges::none_of(step.lanes,
                                [&](const std::string& lane) { return busy_lanes_.contains(lane); });
  }

  void work(Index i) {
    auto result = runner_.run(i);
    const std::lock_guard lock(mutex_);
    if (result) {
      report_.outcomes[i] = *result;
    } else {
      report_.outcomes[i] = Outcome::failed;
      report_.errors[i] = std::move(result.error());
      stopping_ = true;
    }
    ended_.push_back(i);
    ended_step_.notify_one();
  }

  void join_ended() {
    for (const auto i : ended_) {
      if (threads_.erase(i) > 0) at_work(-1);  // joins; the thread has nothing left to do
      state_[i] = State::ended;
      for (const auto& lane : plan_.steps[i].step.lanes) busy_lanes_.erase(lane);
      --running_;
    }
    ended_.clear();
  }

  void at_work(int more) const {
    if (options_.at_work) options_.at_work(more);
  }

  const Plan& plan_;
  const Phase& phase_;
  StepRunner& runner_;
  const ExecutorOptions& options_;

  std::mutex mutex_;
  std::condition_variable ended_step_;
  std::map<Index, State> state_;
  std::set<std::string> busy_lanes_;
  std::map<Index, std::jthread> threads_;
  std::vector<Index> ended_;
  unsigned running_ = 0;
  bool stopping_ = false;
  PhaseReport report_;
};

}  // namespace

PhaseReport execute_phase(const Plan& plan, std::size_t phase, StepRunner& runner,
                          const ExecutorOptions& options) {
  return PhaseRun(plan, phase, runner, options).run();
}

}  // namespace gpuhost
