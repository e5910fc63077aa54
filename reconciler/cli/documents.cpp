#include "cli/documents.hpp"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "cli/trusted_file.hpp"
#include "document/yaml.hpp"

namespace gpuhost {

namespace fs = std::filesystem;

namespace {

constexpr const char* default_file = "etc/gpuhost/host.yaml";
constexpr const char* default_directory = "etc/gpuhost/host.d";

Result<std::vector<std::string>> documents_in(const std::string& directory) {
  std::vector<std::string> paths;
  std::error_code code;
  for (fs::directory_iterator entry(directory, code), end; !code && entry != end; entry.increment(code)) {
    const auto extension = entry->path().extension();
    const bool hidden = entry->path().filename().string().starts_with('.');  // not in the shell's *.yaml
    if (!hidden && (extension == ".yaml" || extension == ".yml")) paths.push_back(entry->path().string());
  }
  if (code) return std::unexpected(system_error(code.value(), "list", directory));
  if (paths.empty())
    return fail(ErrorKind::not_found, fmt::format("cannot use {}: it holds no *.yaml or *.yml", directory));
  std::ranges::sort(paths);
  return paths;
}

std::vector<std::string> default_documents(const Options& options) {
  const fs::path root = options.root.empty() ? "/" : options.root;
  std::error_code ignored;
  for (const auto* name : {default_file, default_directory})
    if (fs::exists(root / name, ignored)) return {(root / name).string()};
  return {};
}

Result<std::vector<std::string>> document_paths(const std::vector<std::string>& given) {
  std::vector<std::string> paths;
  for (const auto& path : given) {
    std::error_code ignored;
    if (!fs::is_directory(path, ignored)) {
      paths.push_back(path);
      continue;
    }
    auto inside = documents_in(path);
    if (!inside) return fail(std::move(inside));
    paths.insert(paths.end(), inside->begin(), inside->end());
  }
  return paths;
}

}  // namespace

OrExit<void> read_documents(const Options& options, bool trusted, Diagnostics& diagnostics) {
  auto given = options.files;
  if (given.empty() && options.host_file.empty()) given = default_documents(options);
  if (given.empty())
    return std::unexpected(
        report({ErrorKind::invalid, "no document is given", "name one with -f FILE"}, ExitCode::usage));
  const auto paths = document_paths(given);
  if (!paths) return std::unexpected(report(paths.error(), ExitCode::invalid_document));
  const auto limit = YamlLimits{}.bytes;
  for (const auto& path : *paths) {
    auto text = trusted ? read_trusted_file(path, limit) : read_file(path, limit);
    if (!text)
      return std::unexpected(report(text.error(), trusted && text.error().kind == ErrorKind::denied
                                                      ? ExitCode::denied
                                                      : ExitCode::invalid_document));
    diagnostics.add_source({path, std::move(*text)});
  }
  return {};
}

OrExit<DecodedDocument> decode_or_tell(Diagnostics& diagnostics, bool skip_missing) {
  auto document = decode_document(diagnostics, skip_missing);
  if (document) return std::move(*document);
  print_error(diagnostics.render());
  return std::unexpected(ExitCode::invalid_document);
}

OrExit<DecodedDocument> load_document(const Options& options, bool trusted) {
  Diagnostics diagnostics;
  if (const auto sources = read_documents(options, trusted, diagnostics); !sources)
    return std::unexpected(sources.error());
  auto document = decode_or_tell(diagnostics, options.skip_missing);
  if (document) document->desired.scope = options.scope;
  return document;
}

}  // namespace gpuhost
