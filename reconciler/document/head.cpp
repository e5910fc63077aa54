#include "document/head.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "document/messages.hpp"

namespace gpuhost {

namespace {

constexpr std::string_view api_version = "gpuhost/v1";

struct FileKind {
  std::string_view word;
  std::string_view what;   ///< "is not the kind of a document"
  std::string_view place;  ///< where such a file belongs
};

constexpr std::array<FileKind, 3> file_kinds{
    {{"HostState", "a document", "this is a document: give it with -f"},
     {"Host", "a host file", "this is a host file: give it with --host"},
     {"HostLimits", "a host's own limits",
      "these are a host's own limits: they are /etc/gpuhost/local.yaml of that host"}}};

const FileKind* file_kind(std::string_view word) {
  const auto* const found = std::ranges::find(file_kinds, word, &FileKind::word);
  return found == file_kinds.end() ? nullptr : found;
}

}  // namespace

bool check_head(MapReader& file, std::string_view kind) {
  const Value version = file.required("apiVersion");
  const Value given = file.required("kind");
  const auto version_text = version.text();
  const auto kind_text = given.text();
  bool ok = true;
  if (version_text && *version_text != api_version) {
    version.report(messages::wrong_api_version,
                   fmt::format("'{}' is not read by this version", *version_text),
                   fmt::format("this version reads {}", api_version));
    ok = false;
  }
  if (kind_text && *kind_text != kind) {
    const auto* const known = file_kind(*kind_text);
    given.report(messages::wrong_kind,
                 fmt::format("'{}' is not the kind of {}", *kind_text, file_kind(kind)->what),
                 known != nullptr ? std::string(known->place) : fmt::format("write kind: {}", kind));
    ok = false;
  }
  return ok;
}

}  // namespace gpuhost
