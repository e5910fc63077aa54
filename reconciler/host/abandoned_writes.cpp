#include "host/abandoned_writes.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/pci_address.hpp"
#include "base/text.hpp"
#include "base/uuid.hpp"
#include "host/state_record.hpp"

namespace gpuhost {

namespace {

constexpr StateRecord record{"/run/gpuhost/abandoned.json", "remove it once no process of gpuhost hangs"};

bool names_device(std::string_view text) {
  return PciAddress::parse(text).has_value() || Uuid::parse(text).has_value();
}

Json to_json(const AbandonedWrite& write) {
  return {{"device", write.device},
          {"request", write.request},
          {"since", write.since},
          {"pid", write.pid},
          {"started", write.started}};
}

AbandonedWrite write_from(const Json& json) {
  return {.device = json.at("device"),
          .request = json.at("request"),
          .since = json.at("since"),
          .pid = json.at("pid"),
          .started = json.at("started")};
}

}  // namespace

std::string AbandonedWrite::sentence() const {
  return fmt::format(
      "process {} has hung in the kernel over {} since {}, in '{}'; end what uses it, or reboot", pid, device,
      since, request);
}

std::string written_device(const std::string& path, std::string_view text) {
  if (const auto named = trim(text); names_device(named)) return std::string(named);
  const auto parts = split(path, '/');
  const auto last = std::find_if(parts.rbegin(), parts.rend(), names_device);
  return last == parts.rend() ? path : std::string(*last);
}

std::string process_start(int pid, const FileReader& files) {
  constexpr std::size_t state = 0;
  constexpr std::size_t start = 19;  // fields 3 and 22 of the line
  const auto line = files.read(fmt::format("/proc/{}/stat", pid));
  const auto name_end = line ? line->rfind(')') : std::string::npos;  // a name may hold anything
  if (name_end == std::string::npos) return {};
  const auto fields = words(std::string_view(*line).substr(name_end + 1));
  if (fields.size() <= start || fields[state] == "Z" || fields[state] == "X") return {};
  return std::string(fields[start]);
}

Result<AbandonedWrites> load_abandoned_writes(const FileReader& files) try {
  const auto json = record.read(files);
  if (!json) return std::unexpected(json.error());
  AbandonedWrites writes;
  if (json->is_null()) return writes;
  for (const auto& entry : json->at("writes")) {
    auto write = write_from(entry);
    const auto start = process_start(write.pid, files);
    if (!start.empty() && start == write.started) writes.push_back(std::move(write));
  }
  return writes;
} catch (const Json::exception& damage) {
  return std::unexpected(record.damaged(damage.what()));
}

Result<void> record_abandoned_write(AbandonedWrite write, const FileReader& reader, FileWriter& files) {
  auto known = load_abandoned_writes(reader).value_or(AbandonedWrites{});
  known.push_back(std::move(write));
  Json writes = Json::array();
  for (const auto& one : known) writes.push_back(to_json(one));
  return record.write(reader, files, {{"writes", std::move(writes)}});
}

}  // namespace gpuhost
