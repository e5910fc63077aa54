#include "kinds/license/gridd_config.hpp"

#include <algorithm>
#include <iterator>

#include "base/text.hpp"

namespace gpuhost {

namespace {

using Lines = std::vector<std::string>;

/// Lines that gpuhost adds stand in the order of the keys, so that one that is taken out and put back is
/// where it was.
Lines::iterator place_of_new(Lines& lines, std::string_view key) {
  const auto own = std::ranges::find(gridd_keys, key);
  return std::ranges::find_if(lines, [&](const auto& line) {
    return std::any_of(own, gridd_keys.end(), [&](auto later) { return sets_gridd_key(line, later); });
  });
}

}  // namespace

bool sets_gridd_key(std::string_view line, std::string_view key) {
  const auto equals = line.find('=');
  return equals != std::string_view::npos && trim(line.substr(0, equals)) == key && !line.contains('\n');
}

Result<GriddConfig> GriddConfig::read(const FileReader& files) {
  const auto text = files.read(path);
  if (!text && text.error().kind != ErrorKind::not_found) return std::unexpected(text.error());
  GriddConfig config;
  if (!text) return config;
  for (const auto line : lines(*text)) config.lines_.emplace_back(line);
  return config;
}

std::vector<std::string> GriddConfig::lines_of(std::string_view key) const {
  std::vector<std::string> found;
  std::ranges::copy_if(lines_, std::back_inserter(found),
                       [&](const auto& line) { return sets_gridd_key(line, key); });
  return found;
}

std::optional<std::string> GriddConfig::value_of(std::string_view key) const {
  const auto found = lines_of(key);
  if (found.size() != 1) return std::nullopt;
  auto value = trim(std::string_view(found.front()).substr(found.front().find('=') + 1));
  if (value.size() >= 2 && value.starts_with('"') && value.ends_with('"'))
    value = value.substr(1, value.size() - 2);
  return std::string(value);
}

void GriddConfig::set(std::string_view key, const std::optional<std::string>& line) {
  const auto place = std::ranges::find_if(lines_, [&](const auto& one) { return sets_gridd_key(one, key); });
  if (place == lines_.end()) {
    if (line) lines_.insert(place_of_new(lines_, key), *line);
  } else if (line) {
    *place = *line;
  } else {
    lines_.erase(place);
  }
}

Result<void> GriddConfig::write(FileWriter& files) const {
  if (lines_.empty()) return files.remove(path);
  std::string text;
  for (const auto& line : lines_) text.append(line).append("\n");
  return files.replace(path, text);
}

}  // namespace gpuhost
