#include "inventory/guest_reports.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/text.hpp"
#include "host/domain_xml.hpp"
#include "host/state_record.hpp"

namespace gpuhost {

namespace {

constexpr StateRecord record{guest_reports::path, "remove it; gpuhost observe --guests writes it again"};
constexpr const char* smi_on_windows = "C:\\Windows\\System32\\nvidia-smi.exe";
constexpr std::chrono::seconds program_limit{60};

Json json_of(const Observed<std::string>& seen) {
  if (seen.is_unknown()) return {{"unknown", seen.reason()}};
  return seen ? Json(*seen) : Json();
}

std::optional<Observed<std::string>> observed_from(const Json& json) {
  if (json.is_null()) return Observed<std::string>::absent();
  if (json.is_string()) return Observed<std::string>(json.get<std::string>());
  if (json.is_object() && json.contains("unknown") && json["unknown"].is_string())
    return Observed<std::string>::unknown(json["unknown"].get<std::string>());
  return std::nullopt;
}

std::optional<GuestReport> report_from(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  GuestReport report;
  for (const auto& [key, text] : {std::pair{"connection", &report.connection},
                                  {"name", &report.name},
                                  {"uuid", &report.uuid},
                                  {"asked", &report.asked}}) {
    if (!json.contains(key) || !json[key].is_string()) return std::nullopt;
    *text = json[key].get<std::string>();
  }
  for (const auto& [key, seen] : {std::pair{"system", &report.system},
                                  {"installed", &report.installed},
                                  {"loaded", &report.loaded},
                                  {"license", &report.license}}) {
    auto found = observed_from(json.value(key, Json()));
    if (!found) return std::nullopt;
    *seen = *std::move(found);
  }
  return report;
}

/// A guest may say anything: what is no version, or no id of a system, is not passed on.
Observed<std::string> word_of(const Result<std::string>& said) {
  if (!said) return Observed<std::string>::from(said);
  const auto word = trim(std::string_view(*said).substr(0, said->find('\n')));
  const bool plain = !word.empty() && word.size() <= 32 && std::ranges::all_of(word, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '.' || c == '-' || c == '_';
  });
  if (!plain) return Observed<std::string>::unknown("the guest answers with what is no version");
  return std::string(word);
}

/// Asks one guest.
class Interview {
 public:
  Interview(GuestReport report, GuestAgents& agents) : report_(std::move(report)), agents_(agents) {}

  GuestReport ask() && {
    report_.system = word_of(agents_.operating_system(report_.connection, report_.name));
    if (report_.system.is_unknown())
      report_.installed = report_.loaded = report_.license = report_.system;
    else if (report_.system && *report_.system == "mswindows")
      ask_windows();
    else
      ask_linux();
    return std::move(report_);
  }

 private:
  /// One that ended well; absent: there is no such program, or `absent_status` says so.
  [[nodiscard]] Result<std::string> output_of(std::vector<std::string> argv, int absent_status = 0) const {
    const auto program = argv.front();
    const auto result = agents_.run(report_.connection, report_.name, {std::move(argv), program_limit});
    if (!result) return std::unexpected(result.error());
    if (result->exit_code == 0) return result->output;
    if (result->exit_code == absent_status) return fail(ErrorKind::not_found, program + " finds nothing");
    return fail(ErrorKind::unavailable,
                fmt::format("{} ends with {} in guest {}", program, result->exit_code, report_.name));
  }

  void ask_linux() {
    report_.installed = word_of(output_of({"modinfo", "-F", "version", "nvidia"}, 1));
    report_.loaded = word_of(agents_.read(report_.connection, report_.name, "/sys/module/nvidia/version"));
    ask_license("nvidia-smi");
  }

  /// A driver of Windows that is installed is the one that is loaded.
  void ask_windows() {
    report_.loaded =
        word_of(output_of({smi_on_windows, "--query-gpu=driver_version", "--format=csv,noheader"}));
    report_.installed = report_.loaded;
    ask_license(smi_on_windows);
  }

  /// Source: NVIDIA vGPU Client Licensing User Guide, "Verifying the NVIDIA vGPU Software License Status".
  void ask_license(const char* smi) {
    if (!report_.loaded) return void(report_.license = report_.loaded);
    const auto said = output_of({smi, "-q"});
    if (!said) return void(report_.license = Observed<std::string>::unknown(said.error().message));
    for (const auto line : lines(*said)) {
      const auto colon = line.find(':');
      if (colon == std::string_view::npos || trim(line.substr(0, colon)) != "License Status") continue;
      const auto status = trim(line.substr(colon + 1));
      report_.license = std::string(status.starts_with("Licensed")     ? "licensed"
                                    : status.starts_with("Unlicensed") ? "unlicensed"
                                                                       : "other");
      return;
    }
  }

  GuestReport report_;
  GuestAgents& agents_;
};

bool has_host_device(const Domain& domain) {
  const auto xml = read_domain_xml(domain.live.empty() ? domain.definition : domain.live);
  return xml && !xml->host_devices.empty();
}

}  // namespace

Json GuestReport::to_json() const {
  return {{"connection", connection},
          {"name", name},
          {"uuid", uuid},
          {"asked", asked},
          {"system", json_of(system)},
          {"installed", json_of(installed)},
          {"loaded", json_of(loaded)},
          {"license", json_of(license)}};
}

namespace guest_reports {

Result<GuestReports> load(const FileReader& files) {
  const auto json = record.read(files);
  if (!json) return std::unexpected(json.error());
  GuestReports reports;
  if (json->is_null()) return reports;
  for (const auto& entry : json->value("guests", Json::array())) {
    auto report = report_from(entry);
    if (!report) return std::unexpected(record.damaged("an entry is no guest"));
    reports.push_back(*std::move(report));
  }
  return reports;
}

Result<GuestReports> ask(const std::string& connection, Host& host) {
  const auto domains = host.view.domains.domains(connection);
  if (!domains) return std::unexpected(domains.error());
  GuestReports reports;
  for (const auto& domain : *domains) {
    if (!domain.running || !has_host_device(domain)) continue;
    GuestReport report{.connection = connection, .name = domain.name, .uuid = domain.uuid};
    report.asked = host.view.clock.utc_now();
    reports.push_back(Interview(std::move(report), host.agents).ask());
  }
  return reports;
}

Result<void> store(const GuestReports& asked, const FileReader& reader, FileWriter& files) {
  auto all = load(reader);
  if (!all) return std::unexpected(all.error());
  const auto key = [](const GuestReport& report) { return std::pair(report.connection, report.name); };
  for (const auto& report : asked) {
    std::erase_if(*all, [&](const GuestReport& old) { return key(old) == key(report); });
    all->push_back(report);
  }
  std::ranges::sort(*all, {}, key);
  Json entries = Json::array();
  for (const auto& report : *all) entries.push_back(report.to_json());
  return record.write(reader, files, {{"guests", std::move(entries)}});
}

}  // namespace guest_reports

}  // namespace gpuhost
