#include "cli/exported_document.hpp"
#include "cli/output.hpp"
#include "cli/target.hpp"
#include "cli/verbs.hpp"

namespace gpuhost {

ExitCode run_export(const Options& options) {
  const auto target = Target::open(options);
  if (!target) return target.error();
  const auto document = exported_document(target->view());
  if (!document) return report(document.error());
  print(*document);
  return ExitCode::done;
}

}  // namespace gpuhost
