#include "kinds/kernel_parameters/grub_trial.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "base/text.hpp"
#include "host/text_or_none.hpp"
#include "kinds/kernel_parameters/grub_config.hpp"
#include "kinds/kernel_parameters/loader_entries.hpp"
#include "kinds/run_command.hpp"

namespace gpuhost {

namespace {

constexpr std::string_view first_line = "# gpuhost: begin";
constexpr std::string_view last_line = "# gpuhost: end";
constexpr const char* variable = "gpuhost_try";
constexpr const char* boot_id_path = "/proc/sys/kernel/random/boot_id";

/// The safe default first: whatever fails after it, the host boots as it did.
constexpr const char* script = R"(if [ "${boot_once}" != true ]; then
  set gpuhost_default="${default}"
  set default=gpuhost-fallback
  if [ "${gpuhost_try}" ]; then
    set gpuhost_try=
    if save_env gpuhost_try; then
      set default="${gpuhost_default}"
    fi
  fi
fi
)";

/// custom.cfg around our lines, and those.
struct CustomConfig {
  std::string ours;
  std::string others;
};

CustomConfig parse_custom_config(std::string_view text) {
  CustomConfig found;
  bool inside = false;
  for (const auto line : lines(text)) {
    inside |= line.starts_with(first_line);
    (inside ? found.ours : found.others).append(line).append("\n");
    if (line == last_line) inside = false;
  }
  return found;
}

/// `savedefault` would make GRUB remember an entry that is to go.
BootTrial::Fallback fallback_of(const BootEntry& entry) {
  std::string body;
  for (const auto line : lines(entry.body))
    if (trim(line) != "savedefault") body.append(line).append("\n");
  std::string title = entry.title;
  std::erase(title, '\'');
  auto text = fmt::format(
      "{}. What ran before kernel parameters changed stays the default until\n"
      "# gpuhost has found the host as its document says; then it takes these lines out.\n"
      "menuentry '{}' --id gpuhost-fallback {{\n{}}}\n{}{}\n",
      first_line, title, body, script, last_line);
  return {std::move(title), entry.command_line, std::move(text)};
}

std::string file_name(std::string_view path) {
  return std::string(path.substr(path.find_last_of("/)") + 1));
}

bool runs(const BootEntry& entry, const CommandLine& running) {
  const auto image = running.of("BOOT_IMAGE");
  return !image.empty() && image.front() && file_name(*image.front()) == file_name(entry.image) &&
         configured_words(entry.command_line) == configured_words(running);
}

/// What runs now, from grub.cfg or, after a trial that failed, from our own lines.
Result<BootTrial::Fallback> fallback_to_keep(std::string_view config, const CustomConfig& custom,
                                             const CommandLine& running) {
  for (const auto& entry : parse_grub_config(config))
    if (runs(entry, running)) return fallback_of(entry);
  for (const auto& entry : parse_grub_config(custom.ours))
    if (runs(entry, running)) return fallback_of(entry);
  return fail(ErrorKind::unsupported, "what runs now is no entry of its menu, so that there is none to keep");
}

struct Mount {
  std::string device;  ///< "8:1"
  std::string file_system;
};

/// Where a path lies. Source: proc(5), mountinfo. Of several mounts on one point the last holds.
std::optional<Mount> mount_of(std::string_view path, std::string_view mountinfo) {
  std::optional<Mount> found;
  std::size_t longest = 0;
  for (const auto line : lines(mountinfo)) {
    const auto fields = words(line);
    const auto dash = std::ranges::find(fields, std::string_view("-"));
    if (fields.size() < 6 || fields.end() - dash < 2) continue;
    const auto point = fields[4] == "/" ? std::string_view{} : fields[4];
    const bool holds = path.starts_with(point) && path.substr(point.size()).starts_with('/');
    if (!holds || (found && point.size() < longest)) continue;
    longest = point.size();
    found = Mount{std::string(fields[2]), std::string(*(dash + 1))};
  }
  return found;
}

/// Nothing: it can. Source: check_writable() in 00_header of GRUB 2.06, and the GRUB manual.
Result<std::string> why_not_written(const std::string& path, const FileReader& files) {
  constexpr std::array written{"ext2", "ext3", "ext4", "xfs", "vfat"};
  const auto mountinfo = files.read("/proc/self/mountinfo");
  if (!mountinfo) return std::unexpected(mountinfo.error());
  const auto mount = mount_of(path, *mountinfo);
  if (!mount) return "where it lies is not known";
  if (std::ranges::find(written, mount->file_system) == written.end())
    return "it lies on " + mount->file_system;
  for (const auto& [folder, what] : {std::pair{"dm", "LVM or another mapped device"}, {"md", "RAID"}}) {
    const auto there = files.exists(fmt::format("/sys/dev/block/{}/{}", mount->device, folder));
    if (!there) return std::unexpected(there.error());
    if (*there) return fmt::format("it lies on {}", what);
  }
  return std::string();
}

Result<void> check_possible(const GrubTrialFiles& where, std::string_view config, const FileReader& files) {
  if (!config.contains("/custom.cfg"))
    return fail(ErrorKind::unsupported, "its menu does not read custom.cfg (/etc/grub.d/41_custom)");
  for (const auto& path : {where.editor, where.environment()}) {
    const auto there = files.exists(path);
    if (!there) return std::unexpected(there.error());
    if (!*there) return fail(ErrorKind::unsupported, path + " is not there");
  }
  auto why = why_not_written(where.environment(), files);
  if (!why) return fail(std::move(why));
  if (!why->empty())
    return fail(ErrorKind::unsupported,
                fmt::format("GRUB cannot note in {} that an entry was tried: {}", where.environment(), *why));
  return {};
}

/// Ours holds the id of the boot in which it was set, so that a boot that has not taken it shows.
BootTrial::State state_of(const CustomConfig& custom, const std::string& set_in, const std::string& boot) {
  if (custom.ours.empty()) return BootTrial::State::none;
  if (set_in.empty()) return BootTrial::State::over;
  return set_in == boot ? BootTrial::State::to_come : BootTrial::State::not_taken;
}

}  // namespace

Result<BootTrial> look_at_grub_trial(const GrubTrialFiles& where, std::string_view config,
                                     const HostView& host) {
  if (auto possible = check_possible(where, config, host.files); !possible) return fail(std::move(possible));
  const auto custom_text = text_or_none(host.files, where.custom_config());
  if (!custom_text) return std::unexpected(custom_text.error());
  const auto environment = text_or_none(host.files, where.environment());
  if (!environment) return std::unexpected(environment.error());
  const auto boot = host.files.read(boot_id_path);
  if (!boot) return std::unexpected(boot.error());

  const auto command_line = host.files.read("/proc/cmdline");
  if (!command_line) return std::unexpected(command_line.error());

  const CommandLine running{std::string(trim(*command_line))};
  const auto custom = parse_custom_config(*custom_text);
  const auto variables = parse_grub_environment(*environment);
  const auto set_in = variables.find(variable);
  BootTrial::Fallback kept{.text = custom.ours};
  for (auto& entry : parse_grub_config(custom.ours)) {
    kept.title = std::move(entry.title);
    kept.command_line = std::move(entry.command_line);
  }
  return BootTrial{
      .state = state_of(custom, set_in == variables.end() ? "" : set_in->second, std::string(trim(*boot))),
      .kept = std::move(kept),
      .to_keep = fallback_to_keep(config, custom, running)};
}

Result<void> set_grub_trial(const GrubTrialFiles& where, const std::string& text, bool to_come, Host& host) {
  const auto custom_text = text_or_none(host.view.files, where.custom_config());
  if (!custom_text) return std::unexpected(custom_text.error());
  const auto boot = host.view.files.read(boot_id_path);
  if (!boot) return std::unexpected(boot.error());
  const auto edit_environment = [&] {
    Command command{{where.editor, where.environment(), "unset", variable}};
    if (to_come)
      command.argv = {where.editor, where.environment(), "set", fmt::format("{}={}", variable, trim(*boot))};
    return run_to_success(host.commands, command);
  };
  // The variable without the lines does nothing; the lines without it boot what ran before.
  if (to_come)
    if (auto set = edit_environment(); !set) return set;
  const auto others = parse_custom_config(*custom_text).others;
  auto written = text.empty() && others.empty() ? host.files.remove(where.custom_config())
                                                : host.files.replace(where.custom_config(), others + text);
  if (!written || to_come) return written;
  return edit_environment();
}

}  // namespace gpuhost
