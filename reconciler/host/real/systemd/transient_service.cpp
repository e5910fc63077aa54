#include "host/real/systemd/transient_service.hpp"

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <vector>

#include <fmt/format.h>
#include <sys/random.h>

#include "host/real/command_environment.hpp"
#include "host/real/systemd/run_log.hpp"
#include "host/real/systemd/unit_properties.hpp"

namespace gpuhost {

namespace {

using std::chrono::seconds;

constexpr const char* service_interface = "org.freedesktop.systemd1.Service";
constexpr seconds stop_limit{5};        // between SIGTERM and SIGKILL
constexpr seconds reporting_limit{10};  // for systemd to tell what it has done

Result<std::string> unit_name_for(const std::string& program) {
  std::uint64_t random = 0;
  if (::getrandom(&random, sizeof random, 0) != sizeof random)
    return fail(ErrorKind::io, "cannot name a service: the kernel gave no random number");
  auto name = program.substr(program.rfind('/') + 1);
  std::ranges::replace_if(
      name, [](unsigned char c) { return c > 127 || (std::isalnum(c) == 0 && c != '-' && c != '.'); }, '_');
  return fmt::format("gpuhost-{}-{:016x}.service", name.substr(0, 100), random);
}

UnitProperties service_properties(const Command& command, const std::string& log) {
  return {
      property("Description", fmt::format("gpuhost runs {}", command.argv.front())),
      property("Type", std::string("oneshot")),
      property("RemainAfterExit", true),
      // Nothing of ours waits for, or is stopped by, the boot or shutdown that it may be part of.
      property("DefaultDependencies", false),
      property("TimeoutStartUSec", in_usec(std::max(command.limit, seconds(1)))),  // 0 would be no limit
      property("TimeoutStopUSec", in_usec(stop_limit)),
      property("StandardOutputFileToAppend", log),
      property("StandardError", std::string("inherit")),
      command_environment(),
      exec_start(command),
  };
}

/// How the main process of a service ended.
struct Outcome {
  std::string result;  ///< success, exit-code, signal, core-dump, timeout, resources …
  int code = 0;        ///< si_code of SIGCHLD
  int status = 0;      ///< exit status or signal
};

Outcome read_outcome(sdbus::IProxy& unit) {
  const auto read = [&](const char* name) { return unit.getProperty(name).onInterface(service_interface); };
  return {read("Result").get<std::string>(), read("ExecMainCode").get<std::int32_t>(),
          read("ExecMainStatus").get<std::int32_t>()};
}

/// The exit code, or why the program did not run to an end of its own.
Result<int> exit_code_of(const Outcome& outcome, const Command& command) {
  const auto& program = command.argv.front();
  if (outcome.result == "timeout")
    return fail(ErrorKind::timed_out,
                fmt::format("{} was ended as it ran longer than {} s", program, command.limit.count()));
  if (outcome.code == CLD_KILLED || outcome.code == CLD_DUMPED) return 128 + outcome.status;
  // 200 to 243 are systemd's own: it could not set the process up. Source: systemd.exec(5), "Process Exit
  // Codes".
  const bool never_ran = outcome.code != CLD_EXITED || (outcome.status >= 200 && outcome.status <= 243);
  if (never_ran)
    return fail(ErrorKind::io, fmt::format("systemd could not run {} (result {}, status {})", program,
                                           outcome.result, outcome.status));
  return outcome.status;
}

/// Takes the service out of systemd, with what the program left running. That it fails changes no result.
void discard(Session& session, const std::string& unit, bool failed) {
  try {
    if (failed) {
      session.call("ResetFailedUnit").withArguments(unit);
      return;
    }
    sdbus::ObjectPath job;
    session.call("StopUnit").withArguments(unit, std::string("replace")).storeResultsTo(job);
    (void)session.await_job(job, Deadline(stop_limit + reporting_limit));
  } catch (const sdbus::Error&) {
    return;
  }
}

}  // namespace

Result<CommandResult> run_as_service(Session& session, const Command& command) {
  const auto& program = command.argv.front();
  if (auto usable = check_program(program); !usable) return fail(std::move(usable));
  auto unit = unit_name_for(program);
  if (!unit) return fail(std::move(unit));
  const auto log = RunLog::make(*unit);
  if (!log) return std::unexpected(log.error());

  session.watch_jobs();
  sdbus::ObjectPath job;
  session.call("StartTransientUnit")
      .withArguments(*unit, std::string("fail"), service_properties(command, log->path()),
                     std::vector<AuxiliaryUnit>{})
      .storeResultsTo(job);
  const auto ended = session.await_job(job, Deadline(command.limit + stop_limit + reporting_limit));
  if (!ended)
    return fail(ErrorKind::timed_out,
                fmt::format("systemd did not end {} after its limit of {} s", program, command.limit.count()),
                fmt::format("see 'systemctl status {}'", *unit));

  sdbus::ObjectPath path;
  session.call("LoadUnit").withArguments(*unit).storeResultsTo(path);
  const auto outcome = read_outcome(*session.unit(path));
  discard(session, *unit, *ended != "done");
  auto code = exit_code_of(outcome, command);
  if (!code) return fail(std::move(code));
  auto output = log->tail();
  if (!output) return fail(std::move(output));
  if (*code == 0) log->remove();
  return CommandResult{*code, std::move(*output)};
}

}  // namespace gpuhost
