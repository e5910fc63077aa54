#include "kinds/kernel_parameters/loader_trial.hpp"

#include <optional>

#include <fmt/format.h>

#include "base/text.hpp"
#include "host/text_or_none.hpp"
#include "kinds/kernel_parameters/loader_entries.hpp"
#include "kinds/run_command.hpp"

namespace gpuhost {

namespace {

constexpr const char* editor = "/usr/bin/bootctl";
constexpr std::string_view former_mark = "# gpuhost: what runs now; the default was '";

std::string variable_path(std::string_view name) {
  return fmt::format("/sys/firmware/efi/efivars/{}-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f", name);
}

/// Empty where the variable is not set. Sources: efivarfs in the kernel's documentation (four bytes of
/// attributes first); the interface's strings are UTF-16, names of entries ASCII.
Result<std::string> variable(const FileReader& files, std::string_view name) {
  const auto bytes = text_or_none(files, variable_path(name));
  if (!bytes) return bytes;
  std::string text;
  for (std::size_t at = 4; at < bytes->size() && (*bytes)[at] != '\0'; at += 2) text += (*bytes)[at];
  return text;
}

Result<void> check_possible(const FileReader& files) {
  for (const auto& [path, why] :
       {std::pair{variable_path("LoaderInfo"), "no loader with systemd's interface booted"},
        std::pair{std::string(editor), "/usr/bin/bootctl is not there"}}) {
    const auto there = files.exists(path);
    if (!there) return std::unexpected(there.error());
    if (!*there) return fail(ErrorKind::unsupported, why);
  }
  return {};
}

std::string former_default(std::string_view fallback) {
  if (!fallback.starts_with(former_mark)) return {};
  fallback.remove_prefix(former_mark.size());
  return std::string(fallback.substr(0, fallback.find('\'')));
}

/// What runs now, from the entries or, after a trial that failed, from our own.
Result<BootTrial::Fallback> fallback_to_keep(const std::vector<BootEntry>& entries,
                                             const BootTrial::Fallback& kept, std::string_view kept_version,
                                             const std::string& former, const HostView& host) {
  const auto running = host.files.read("/proc/cmdline");
  if (!running) return std::unexpected(running.error());
  const auto release = host.files.read("/proc/sys/kernel/osrelease");
  if (!release) return std::unexpected(release.error());
  const auto words = configured_words(CommandLine(std::string(trim(*running))));
  for (const auto& entry : entries)
    if (entry.version == trim(*release) && configured_words(entry.command_line) == words)
      return BootTrial::Fallback{entry.title, entry.command_line,
                                 fmt::format("{}{}'\n{}", former_mark, former, entry.body)};
  if (kept_version == trim(*release) && configured_words(kept.command_line) == words) return kept;
  return fail(ErrorKind::unsupported, "what runs now is none of its entries, so that there is none to keep");
}

}  // namespace

Result<BootTrial> look_at_loader_trial(const std::string& directory, const std::vector<BootEntry>& entries,
                                       const HostView& host) {
  if (auto possible = check_possible(host.files); !possible) return fail(std::move(possible));
  const auto next = variable(host.files, "LoaderEntryOneShot");
  if (!next) return std::unexpected(next.error());
  const auto usual = variable(host.files, "LoaderEntryDefault");
  if (!usual) return std::unexpected(usual.error());
  auto text = text_or_none(host.files, directory + "/" + loader_fallback);
  if (!text) return std::unexpected(text.error());

  BootTrial trial;
  auto entry = parse_loader_entry(*text, {});
  trial.kept = {std::move(entry.title), std::move(entry.command_line), *std::move(text)};
  if (!trial.kept.text.empty())
    trial.state =
        !next->empty() && *next == entries.front().id ? BootTrial::State::to_come : BootTrial::State::over;
  trial.to_keep = fallback_to_keep(entries, trial.kept, entry.version, *usual, host);
  return trial;
}

Result<void> set_loader_trial(const std::string& directory, const std::vector<BootEntry>& entries,
                              const std::string& text, bool to_come, Host& host) {
  const auto path = directory + "/" + loader_fallback;
  const auto set = [&](const char* what, const std::string& entry) {
    return run_to_success(host.commands, {{editor, what, entry}});
  };
  if (!text.empty()) {
    if (auto written = host.files.replace(path, text); !written) return written;
    if (auto next = set("set-oneshot", to_come ? entries.front().id : ""); !next) return next;
    return set("set-default", loader_fallback);
  }
  const auto kept = text_or_none(host.view.files, path);
  if (!kept) return std::unexpected(kept.error());
  if (auto next = set("set-oneshot", ""); !next) return next;
  if (auto usual = set("set-default", former_default(*kept)); !usual) return usual;
  return host.files.remove(path);
}

}  // namespace gpuhost
