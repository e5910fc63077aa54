#include "kinds/state_file.hpp"

#include <fmt/format.h>

#include "base/json.hpp"

namespace gpuhost {

namespace {
constexpr int format_version = 1;
}

Result<std::optional<std::string>> StateFile::read(const FileReader& files) const {
  auto text = files.read(path);
  if (!text && text.error().kind == ErrorKind::not_found) return std::nullopt;
  if (!text) return fail(std::move(text));
  const Json record = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  const auto version = record.is_object() ? record.find("format_version") : record.end();
  const auto value = record.is_object() ? record.find(field) : record.end();
  if (version != record.end() && version->is_number_integer() && *version > format_version)
    return fail(ErrorKind::stale, fmt::format("{} was written by a newer gpuhost", path), "update gpuhost");
  if (version == record.end() || value == record.end() || !value->is_string())
    return fail(ErrorKind::invalid, fmt::format("{} is damaged", path), "remove it; gpuhost makes it again");
  return value->get<std::string>();
}

Result<void> StateFile::write(FileWriter& files, std::string_view value) const {
  const Json record{{"format_version", format_version}, {field, value}};
  return files.replace(path, record.dump(2) + "\n", 0600);
}

}  // namespace gpuhost
