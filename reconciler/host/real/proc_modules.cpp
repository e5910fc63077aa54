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
    if (fields.size() < 5)
      return fail(ErrorKind::io, fmt::format("cannot understand line '{}' of /proc/modules", line));
    // The count of one that is going is -1: the kernel has taken its own hold off.
    if (fields[4] != "Live") continue;
    // A kernel that cannot unload modules prints "-" for the count.
    const auto count = parse_unsigned(fields[2] == "-" ? "0" : fields[2]);
    if (!count) return fail(ErrorKind::io, fmt::format("cannot understand line '{}' of /proc/modules", line));
    modules.emplace(fields[0], LoadedModule{static_cast<unsigned>(*count), parse_users(fields[3])});
  }
  return modules;
}

}  // namespace gpuhost
