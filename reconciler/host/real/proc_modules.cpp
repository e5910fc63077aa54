#include "host/real/proc_modules.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"

namespace gpuhost {

namespace {

std::vector<std::string> parse_users(std::string_view field) {
  std::vector<std::string> users;
  if (field == "-") return users;
  for (const auto user : split(field, ',')) {
    // "[permanent]" stands among the users of a module that cannot be unloaded, "[unsafe]" and the like may
    // follow.
    if (!user.empty() && !user.starts_with('[')) users.emplace_back(user);
  }
  std::ranges::sort(users);
  return users;
}

}  // namespace

Result<std::map<std::string, LoadedModule>> parse_proc_modules(std::string_view text) {
  std::map<std::string, LoadedModule> modules;
  for (const auto line : lines(text)) {
    const auto fields = words(line);
    // A kernel that cannot unload modules prints "-" for the count.
    const auto count = fields.size() < 5 ? std::nullopt : parse_unsigned(fields[2] == "-" ? "0" : fields[2]);
    if (!count) return fail(ErrorKind::io, fmt::format("cannot understand line '{}' of /proc/modules", line));
    if (fields[4] == "Live")
      modules.emplace(fields[0], LoadedModule{static_cast<unsigned>(*count), parse_users(fields[3])});
  }
  return modules;
}

}  // namespace gpuhost
