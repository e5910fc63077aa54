#include "cli/run_record.hpp"

#include <fmt/format.h>

#include "render/json_text.hpp"
#include "render/run.hpp"

namespace gpuhost {

namespace {

constexpr const char* status_path = "/run/gpuhost/status.json";
/// As Debian's update-notifier writes it; other tools look for the file.
constexpr const char* reboot_path = "/run/reboot-required";
constexpr const char* reboot_text = "*** System restart required ***\n";
constexpr int format_version = 1;

bool tells_the_same(const Json& known, const Json& fresh) {
  return known.is_object() && known.value("conditions", Json()) == fresh["conditions"] &&
         known.value("reboot_required", Json()) == fresh["reboot_required"];
}

Result<void> write_status(const RunReport& report, Host& host) {
  const auto fresh = status_json(report, host.view.clock.utc_now());
  const auto known = read_status(host.view.files);
  using enum RunReport::Result;
  const bool idle = !report.changed && (report.result == converged || report.result == degraded ||
                                        report.result == reboot_required);
  if (idle && known && (known->is_null() || tells_the_same(*known, fresh))) return {};
  return host.files.replace(status_path, json_text(fresh));
}

Result<void> ask_for_reboot(Host& host) {
  const auto asked = host.view.files.exists(reboot_path);
  if (asked && *asked) return {};
  return host.files.replace(reboot_path, reboot_text);
}

}  // namespace

Result<void> record_run(const RunReport& report, Host& host) {
  if (auto written = write_status(report, host); !written) return written;
  if (report.result == RunReport::Result::reboot_required) return ask_for_reboot(host);
  return {};
}

Result<void> record_recovery(const RecoverReport& report, Host& host) {
  const auto known = read_status(host.view.files);
  return host.files.replace(status_path, json_text(recovered_status_json(known.value_or(Json()), report,
                                                                         host.view.clock.utc_now())));
}

Result<Json> read_status(const FileReader& files) {
  auto text = files.read(status_path);
  if (!text && text.error().kind == ErrorKind::not_found) return Json();
  if (!text) return fail(std::move(text));
  auto status = Json::parse(*text, nullptr, false);
  if (!status.is_object() || !status.contains("format_version") ||
      !status["format_version"].is_number_integer())
    return fail(ErrorKind::invalid, fmt::format("cannot use {}: it is not a status file", status_path),
                "remove it; the next apply writes it again");
  if (status["format_version"].get<int>() > format_version)
    return fail(ErrorKind::stale,
                fmt::format("{} has format version {}, this gpuhost knows {}", status_path,
                            status["format_version"].get<int>(), format_version),
                "use the newer gpuhost that wrote it");
  return status;
}

}  // namespace gpuhost
