#include "kinds/kernel_modules/own_files.hpp"

#include <fmt/format.h>

#include "base/sha256.hpp"
#include "kinds/kernel_arguments.hpp"

namespace gpuhost {

namespace {

constexpr std::string_view title =
    "# Written by gpuhost for the documents that own these modules; edit the documents instead.\n";

/// Nothing: there is no such file.
Result<std::optional<std::string>> read_if_there(const FileReader& files, const char* path) {
  auto text = files.read(path);
  if (text) return std::move(*text);
  if (text.error().kind == ErrorKind::not_found) return std::nullopt;
  return fail(std::move(text));
}

}  // namespace

Result<OwnModprobeFile> OwnModprobeFile::read(const FileReader& files) {
  const auto text = read_if_there(files, path);
  if (!text) return std::unexpected(text.error());
  OwnModprobeFile file;
  if (!*text) return file;
  file.digest_ = sha256(**text);
  ModprobeConfig config;
  config.add(**text, path);
  for (const auto& [module, options] : config.options) file.entries_[module].options = options;
  for (const auto& [module, from] : config.blacklisted) file.entries_[module].blocked = true;
  for (const auto& [module, command] : config.install) file.entries_[module].blocked = true;
  file.intact_ = file.render() == **text;
  return file;
}

OwnModprobeFile::Entry OwnModprobeFile::of(const std::string& module) const {
  const auto found = entries_.find(module);
  return found == entries_.end() ? Entry{} : found->second;
}

void OwnModprobeFile::set(const std::string& module, Entry entry) {
  if (entry.empty())
    entries_.erase(module);
  else
    entries_[module] = std::move(entry);
}

std::string OwnModprobeFile::render() const {
  std::string text(title);
  for (const auto& [module, entry] : entries_) {
    if (entry.blocked) text += fmt::format("blacklist {0}\ninstall {0} /bin/false\n", module);
    if (entry.options.empty()) continue;
    text += "options " + module;
    for (const auto& [name, value] : entry.options) text += " " + kernel_word(name, value);
    text += '\n';
  }
  return text;
}

Result<void> OwnModprobeFile::write(FileWriter& files) const {
  return entries_.empty() ? files.remove(path) : files.replace(path, render());
}

Result<OwnBootList> OwnBootList::read(const FileReader& files) {
  const auto text = read_if_there(files, path);
  if (!text) return std::unexpected(text.error());
  OwnBootList list;
  if (*text) list.modules_ = parse_module_list(**text);
  return list;
}

void OwnBootList::set(const std::string& module, bool listed) {
  if (listed)
    modules_.insert(module);
  else
    modules_.erase(module);
}

std::string OwnBootList::render() const {
  std::string text(title);
  for (const auto& module : modules_) text += module + "\n";
  return text;
}

Result<void> OwnBootList::write(FileWriter& files) const {
  return modules_.empty() ? files.remove(path) : files.replace(path, render());
}

}  // namespace gpuhost
