#include "cli/documents.hpp"
#include "cli/planning.hpp"
#include "cli/saved_plan.hpp"
#include "cli/target.hpp"
#include "cli/verbs.hpp"
#include "render/json_text.hpp"
#include "render/plan.hpp"

namespace gpuhost {

namespace {

std::string rendered(const Plan& plan, const Options& options) {
  if (options.format == "json") return json_text(plan_json(plan));
  if (options.format == "markdown") return plan_markdown(plan);
  if (options.format == "dot") return plan_dot(plan);
  if (options.format == "svg") return plan_svg(plan);
  return plan_text(plan, output_style(options.no_color, options.verbose));
}

}  // namespace

ExitCode run_plan(const Options& options) {
  Diagnostics sources;
  if (const auto read = read_documents(options, false, sources); !read) return read.error();
  auto document = decode_or_tell(sources, options.skip_missing);
  if (!document) return document.error();
  document->desired.scope = options.scope;
  const auto target = Target::open(options);
  if (!target) return target.error();
  const auto view = target->view();
  const auto plan = plan_document(*document, view);
  if (!plan) return plan.error();
  print(rendered(*plan, options));
  if (!plan->applyable()) return ExitCode::not_applyable;
  if (!options.out.empty())
    if (const auto saved = save_plan(options.out, *plan, sources, options.skip_missing, view.clock); !saved)
      return saved.error();
  return options.detailed_exitcode && !plan->empty() ? ExitCode::differs : ExitCode::done;
}

}  // namespace gpuhost
