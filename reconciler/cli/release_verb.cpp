#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/applying.hpp"
#include "cli/recovery.hpp"
#include "cli/run_guard.hpp"
#include "cli/verbs.hpp"

namespace gpuhost {

namespace {

/// The documents whose objects are given back, in order of name.
Result<std::vector<std::string>> owners(const Options& options, const FileReader& files) {
  const auto owned = Ownership::load(files);
  if (!owned) return std::unexpected(owned.error());
  auto all = owned->documents();
  if (options.document.empty()) return all;
  if (std::ranges::find(all, options.document) != all.end()) return std::vector{options.document};
  return fail(ErrorKind::not_found, fmt::format("document '{}' owns nothing on this host", options.document),
              all.empty() ? "no document does" : "these do: " + join(all, ", "));
}

/// unsupported: something was left as it is; the plan's notes say why.
Result<void> check_released(const std::string& document, const FileReader& files) {
  const auto owned = Ownership::load(files);
  if (!owned) return std::unexpected(owned.error());
  std::vector<std::string> left;
  for (const auto& [address, object] : owned->of(document)) left.push_back(address);
  if (left.empty()) return {};
  return fail(ErrorKind::unsupported, fmt::format("document '{}' still owns {}", document, join(left, ", ")),
              "the notes of the plan say what it takes to give it back");
}

/// Ends with the first document that cannot be given back now; what waits for a reboot only is no hindrance.
ExitCode release_from(Target& target, const Options& options, RunOutput& output) {
  const auto recovered = end_interrupted_run(target, output, RecoveredBy::next_run);
  if (!recovered) return end_unplanned(output, recovered.error());
  if (*recovered && !(*recovered)->ended) return end_unplanned(output, ExitCode::busy);
  const auto names = owners(options, target.view().files);
  if (!names) return end_unplanned(output, report(names.error()));
  if (names->empty()) {
    if (options.format == "text")
      print("gpuhost owns nothing on this host: there is nothing to give back.\n");
    output.ended_unplanned(to_string(RunReport::Result::converged), false, ExitCode::done);
    return ExitCode::done;
  }
  auto worst = ExitCode::done;
  for (const auto& name : *names) {
    auto document =
        empty_document(name, {.disruption = options.allow.value_or(Disruption::none), .by_option = true});
    const auto code = apply_to(target, document, options, output, nullptr, [&](const Target& released) {
      return check_released(name, released.view().files);
    });
    if (code != ExitCode::done && code != ExitCode::reboot_needed) return code;
    if (code == ExitCode::reboot_needed) worst = code;
  }
  return worst;
}

}  // namespace

ExitCode run_release(const Options& options) {
  if (const auto asked = check_can_ask(options); !asked) return report(asked.error(), ExitCode::usage);
  const RealHost machine;
  const auto output = make_run_output(options, machine.view().clock);
  if (const auto allowed = check_may_change(options); !allowed)
    return end_unplanned(*output, report(allowed.error()));
  return on_locked_host(options, *output,
                        [&](Target& target) { return release_from(target, options, *output); });
}

}  // namespace gpuhost
