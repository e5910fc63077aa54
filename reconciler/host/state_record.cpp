#include "host/state_record.hpp"

#include <fmt/format.h>

namespace gpuhost {

namespace {

/// Nothing: it has none.
std::optional<int> version_of(const Json& record) {
  const auto version = record.is_object() ? record.find("format_version") : record.end();
  if (version == record.end() || !version->is_number_integer()) return std::nullopt;
  return version->get<int>();
}

}  // namespace

Error StateRecord::damaged(std::string_view why) const {
  return {ErrorKind::invalid, fmt::format("cannot use {}: {}", path, why), if_damaged};
}

Result<Json> StateRecord::read(const FileReader& files) const {
  auto text = files.read(path);
  if (!text && text.error().kind == ErrorKind::not_found) return Json();
  if (!text) return fail(std::move(text));
  auto record = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  const auto written = version_of(record);
  if (!written || *written < 1) return std::unexpected(damaged("it is damaged"));
  if (*written > version())
    return fail(ErrorKind::stale,
                fmt::format("{} was written by a newer gpuhost: it has format version {}, this one knows {}",
                            path, *written, version()),
                "use the newer gpuhost");
  for (auto next = static_cast<std::size_t>(*written) - 1; next < migrations.size(); ++next)
    if (!migrations[next](record)) return std::unexpected(damaged("it is damaged"));
  record["format_version"] = version();
  return record;
}

Result<void> StateRecord::write(const FileReader& reader, FileWriter& files, Json record,
                                unsigned mode) const {
  if (!migrations.empty()) {  // else there is no older one
    const auto old = reader.read(path);
    const auto written = old ? version_of(Json::parse(*old, nullptr, false)) : std::nullopt;
    if (written && *written < version())
      if (auto kept = files.replace(fmt::format("{}.v{}", path, *written), *old, mode); !kept) return kept;
  }
  record["format_version"] = version();
  return files.replace(path, record.dump(2) + "\n", mode);
}

}  // namespace gpuhost
