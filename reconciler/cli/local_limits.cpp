#include "cli/local_limits.hpp"

#include "cli/trusted_file.hpp"
#include "document/yaml.hpp"

namespace gpuhost {

OrExit<void> hold_to_local_limits(DecodedDocument& document, const FileReader& files, Trust trust) {
  const std::string path(local_limits_path);
  auto text = files.read(path);
  if (!text && text.error().kind == ErrorKind::not_found) return {};
  if (trust == Trust::root_only) {
    text = read_trusted_file(path, YamlLimits{}.bytes);
    if (!text)
      return std::unexpected(report(text.error(), text.error().kind == ErrorKind::denied
                                                      ? ExitCode::denied
                                                      : ExitCode::invalid_document));
  }
  if (!text) {
    document.limit_notes = {{Note::Severity::error,
                             {},
                             "what this host allows is unknown: " + text.error().message,
                             text.error().advice}};
    return {};
  }
  Diagnostics diagnostics;
  diagnostics.add_source({path, std::move(*text)});
  const auto limits = decode_host_limits(diagnostics);
  if (!limits) {
    print_error(diagnostics.render());
    return std::unexpected(ExitCode::invalid_document);
  }
  document.hold_to(*limits);
  return {};
}

}  // namespace gpuhost
