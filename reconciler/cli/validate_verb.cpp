#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/documents.hpp"
#include "cli/planning.hpp"
#include "cli/verbs.hpp"
#include "render/json_text.hpp"

namespace gpuhost {

namespace {

Json place_json(const Diagnostics& diagnostics, Mark mark) {
  return {{"file", diagnostics.source(mark.source).name}, {"line", mark.line}, {"column", mark.column}};
}

Json problems_json(const Diagnostics& diagnostics) {
  Json problems = Json::array();
  for (const auto& problem : diagnostics.sorted()) {
    Json json = place_json(diagnostics, problem.mark);
    json["id"] = problem.message->id;
    json["message"] = problem.text;
    if (!problem.advice.empty()) json["advice"] = problem.advice;
    if (problem.other) json["other"] = place_json(diagnostics, *problem.other);
    problems.push_back(std::move(json));
  }
  return problems;
}

Json valid_json(const DecodedDocument& document) {
  Json unsupported = Json::array();
  for (const auto& part : document.unsupported)
    unsupported.push_back({{"key", part.key}, {"place", part.place}});
  return {{"format_version", 1},
          {"valid", true},
          {"desired", {{"name", document.desired.name}, {"sha256", document.desired.sha256}}},
          {"unsupported", std::move(unsupported)},
          {"overridden", document.overridden},
          {"problems", Json::array()}};
}

std::string valid_text(const DecodedDocument& document) {
  std::string text = fmt::format("Valid: document {}.\n", escape_for_terminal(document.desired.name));
  for (const auto& override_ : document.overridden)
    text += fmt::format("  {}\n", escape_for_terminal(override_));
  for (const auto& part : document.unsupported)
    text += fmt::format("  {}: plan and apply refuse it, not supported by this version\n",
                        escape_for_terminal(place_of(part)));
  return text;
}

}  // namespace

ExitCode run_validate(const Options& options) {
  const bool json = options.format == "json";
  Diagnostics diagnostics;
  if (const auto sources = read_documents(options, false, diagnostics); !sources) return sources.error();
  const auto document = decode_document(diagnostics);
  if (document) {
    print(json ? json_text(valid_json(*document)) : valid_text(*document));
    return ExitCode::done;
  }
  if (json)
    print(json_text({{"format_version", 1}, {"valid", false}, {"problems", problems_json(diagnostics)}}));
  else
    print_error(diagnostics.render());
  return ExitCode::invalid_document;
}

}  // namespace gpuhost
