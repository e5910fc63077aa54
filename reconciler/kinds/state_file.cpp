#include "kinds/state_file.hpp"

#include <fmt/format.h>

namespace gpuhost {

Result<std::optional<std::string>> StateFile::read(const FileReader& files) const {
  const auto known = record().read(files);
  if (!known) return std::unexpected(known.error());
  if (known->is_null()) return std::nullopt;
  const auto value = known->find(field);
  if (value == known->end() || !value->is_string())
    return std::unexpected(record().damaged(fmt::format("it has no {}", field)));
  return value->get<std::string>();
}

Result<void> StateFile::write(const FileReader& reader, FileWriter& files, std::string_view value) const {
  return record().write(reader, files, {{field, value}}, 0600);
}

}  // namespace gpuhost
