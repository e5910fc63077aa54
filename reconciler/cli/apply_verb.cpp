#include "cli/applying.hpp"
#include "cli/documents.hpp"
#include "cli/run_guard.hpp"
#include "cli/verbs.hpp"

namespace gpuhost {

namespace {

/// What is to be applied: a document, and the saved plan that holds it.
struct Wish {
  DecodedDocument document;
  std::optional<SavedPlan> saved;
};

OrExit<Wish> wish_of_plan(const Options& options) {
  auto saved = load_saved_plan(options.plan_file, options.live());
  if (!saved) return std::unexpected(saved.error());
  Diagnostics diagnostics;
  for (const auto& document : saved->documents) diagnostics.add_source(document);
  auto document = decode_or_tell(diagnostics, saved->skip_missing);
  if (!document) return std::unexpected(document.error());
  return Wish{std::move(*document), std::move(*saved)};
}

OrExit<Wish> wish_of_documents(const Options& options) {
  auto document = load_document(options, options.live());
  if (!document) return std::unexpected(document.error());
  return Wish{std::move(*document), {}};
}

/// Everything that ends the run before the host is looked at.
OrExit<Wish> acceptable_wish(const Options& options) {
  auto wish = options.plan_file.empty() ? wish_of_documents(options) : wish_of_plan(options);
  if (!wish) return wish;
  if (const auto allowed = check_may_change(options); !allowed)
    return std::unexpected(report(allowed.error()));
  auto& policy = wish->document.desired.policy;
  if (options.allow && *options.allow < policy.disruption) {
    policy.disruption = *options.allow;
    policy.by_option = true;
  }
  return wish;
}

}  // namespace

ExitCode run_apply(const Options& options) {
  if (const auto asked = check_can_ask(options); !asked) return report(asked.error(), ExitCode::usage);
  const RealHost machine;
  const auto output = make_run_output(options, machine.view().clock);
  auto wish = acceptable_wish(options);
  if (!wish) return end_unplanned(*output, wish.error());
  return on_locked_host(options, *output, [&](Target& target) {
    return apply_to(target, wish->document, options, *output, wish->saved ? &*wish->saved : nullptr);
  });
}

}  // namespace gpuhost
