#include "cli/run_record.hpp"

#include "host/state_record.hpp"
#include "render/json_text.hpp"
#include "render/run.hpp"

namespace gpuhost {

namespace {

constexpr StateRecord status_file{"/run/gpuhost/status.json", "remove it; the next apply writes it again"};
/// As Debian's update-notifier writes it; other tools look for the file.
constexpr const char* reboot_path = "/run/reboot-required";
constexpr const char* reboot_text = "*** System restart required ***\n";

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
  return host.files.replace(status_file.path, json_text(fresh));
}

Result<void> ask_for_reboot(Host& host) {
  const auto asked = host.view.files.exists(reboot_path);
  if (asked && *asked) return {};
  return host.files.replace(reboot_path, reboot_text);
}

}  // namespace

Result<void> record_progress(const Json& status, Host& host) {
  return host.files.replace(status_file.path, json_text(status));
}

Result<void> record_run(const RunReport& report, Host& host) {
  if (auto written = write_status(report, host); !written) return written;
  if (report.result == RunReport::Result::reboot_required) return ask_for_reboot(host);
  return {};
}

Result<void> record_recovery(const RecoverReport& report, Host& host) {
  const auto known = read_status(host.view.files);
  return host.files.replace(status_file.path, json_text(recovered_status_json(known.value_or(Json()), report,
                                                                              host.view.clock.utc_now())));
}

Result<void> record_confirmation(Host& host) {
  const auto known = read_status(host.view.files);
  if (!known || known->is_null()) return {};  // what a boot or another hand took is not made up
  return host.files.replace(status_file.path, json_text(confirmed_status_json(*known)));
}

Result<Json> read_status(const FileReader& files) {
  return status_file.read(files);
}

}  // namespace gpuhost
