#include <algorithm>

#include <fmt/format.h>

#include "cli/documents.hpp"
#include "cli/planning.hpp"
#include "cli/target.hpp"
#include "cli/verbs.hpp"
#include "render/json_text.hpp"
#include "render/verify.hpp"

namespace gpuhost {

namespace {

/// What this version cannot look at is unknown, not in sync.
void add_unsupported(const DecodedDocument& document, Plan& plan) {
  for (const auto& part : document.unsupported)
    plan.findings.push_back({.address = part.key,
                             .verdict = Finding::Verdict::unknown,
                             .desired = nullptr,
                             .observed = nullptr,
                             .reason = fmt::format("not supported by this version ({})", part.place)});
  std::ranges::stable_sort(plan.findings, {}, &Finding::address);
}

ExitCode verdict(const Plan& plan) {
  const auto counts = count_findings(plan);
  return counts.differs + counts.pending_reboot > 0 ? ExitCode::differs : code_of_unknown(plan);
}

}  // namespace

ExitCode run_verify(const Options& options) {
  auto document = load_document(options, false);
  if (!document) return document.error();
  const auto target = Target::open(options);
  if (!target) return target.error();
  auto plan = plan_document(*document, target->view());
  if (!plan) return plan.error();
  add_unsupported(*document, *plan);
  print(options.format == "json" ? json_text(verify_json(*plan))
                                 : verify_text(*plan, output_style(options.no_color, options.verbose)));
  return verdict(*plan);
}

}  // namespace gpuhost
