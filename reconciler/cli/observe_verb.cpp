#include "cli/target.hpp"
#include "cli/verbs.hpp"
#include "host/sim/recorder.hpp"
#include "kinds/registry.hpp"
#include "render/json_text.hpp"
#include "render/observation.hpp"

namespace gpuhost {

namespace {

Described describe(const Kinds& kinds, const HostView& host) {
  const auto seen = observe_all(kinds, host);
  Described described;
  for (std::size_t i = 0; i < kinds.size(); ++i)
    described.emplace_back(kinds[i]->name(), seen[i]->describe());
  return described;
}

}  // namespace

ExitCode run_observe(const Options& options) {
  const auto target = Target::open(options);
  if (!target) return target.error();
  const auto kinds = all_kinds();
  const auto host = HostIdentity::read(target->view().files);
  const auto described = describe(kinds, target->view());
  print(options.format == "json"
            ? json_text(observation_json(host, described))
            : observation_text(host, described, output_style(options.no_color, options.verbose)));
  if (options.record.empty()) return ExitCode::done;
  const auto recorded = record_host(target->view(), [&](const HostView& view) {
    (void)HostIdentity::read(view.files);
    (void)observe_all(kinds, view);
  });
  const auto written = write_local_file(options.record, write_host_file(recorded));
  return written ? ExitCode::done : report(written.error());
}

}  // namespace gpuhost
