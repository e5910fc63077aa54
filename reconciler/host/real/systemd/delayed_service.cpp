#include "host/real/systemd/delayed_service.hpp"

#include <array>

#include <fmt/format.h>
#include <sysexits.h>

#include "base/text.hpp"
#include "host/real/command_environment.hpp"
#include "host/real/systemd/unit_properties.hpp"

namespace gpuhost {

namespace {

using std::chrono::seconds;
using StatusSet = sdbus::Struct<std::vector<std::int32_t>, std::vector<std::int32_t>>;  // codes, signals
using TimerSetting = sdbus::Struct<std::string, std::uint64_t>;

constexpr seconds job_limit{30};  // for systemd to start a timer, or to stop a service by its own limits
constexpr seconds again_after{5};
constexpr const char* no_such_unit = "org.freedesktop.systemd1.NoSuchUnit";

UnitProperties timer_properties(const Command& command, seconds delay) {
  return {
      property("Description", fmt::format("{} later", join(command.argv, " "))),
      property("TimersMonotonic", std::vector<TimerSetting>{{"OnActiveSec", in_usec(delay)}}),
      property("AccuracyUSec", in_usec(seconds(1))),
      property("RemainAfterElapse", false),
  };
}

UnitProperties delayed_properties(const Command& command) {
  return {
      property("Description", fmt::format("gpuhost runs {}", command.argv.front())),
      // Not oneshot, which systemd 252 refuses to start again for an exit status.
      property("Type", std::string("exec")),
      property("RuntimeMaxUSec", in_usec(command.limit)),
      property("RestartForceExitStatus", StatusSet{{EX_TEMPFAIL}, {}}),
      property("RestartUSec", in_usec(again_after)),
      property("CollectMode", std::string("inactive-or-failed")),
      command_environment(),
      exec_start(command),
  };
}

}  // namespace

Result<void> start_delayed(Session& session, const std::string& name, const Command& command, seconds delay) {
  if (auto usable = check_program(command.argv.front()); !usable) return usable;
  sdbus::ObjectPath job;
  session.call("StartTransientUnit")
      .withArguments(name + ".timer", std::string("fail"), timer_properties(command, delay),
                     std::vector<AuxiliaryUnit>{{name + ".service", delayed_properties(command)}})
      .storeResultsTo(job);
  const auto result = session.await_job(job, Deadline(job_limit));
  if (result == "done") return {};
  return fail(ErrorKind::io, fmt::format("cannot start {}.timer: its job ended as '{}'", name,
                                         result.value_or("not ended")));
}

Result<void> cancel_delayed(Session& session, const std::string& name) {
  for (const auto& unit : std::array{name + ".timer", name + ".service"}) {
    try {
      sdbus::ObjectPath job;
      session.call("StopUnit").withArguments(unit, std::string("replace")).storeResultsTo(job);
      if (!session.await_job(job, Deadline(job_limit)))
        return fail(ErrorKind::timed_out, fmt::format("cannot stop {} within {} s", unit, job_limit.count()));
    } catch (const sdbus::Error& error) {
      if (error.getName() != no_such_unit) throw;
    }
  }
  return {};
}

}  // namespace gpuhost
