#include "engine/journal.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include <fmt/format.h>

#include "base/text.hpp"
#include "engine/plan.hpp"

namespace gpuhost {

namespace {

constexpr int format_version = 1;
constexpr std::array<std::string_view, 4> state_words{"intended", "done", "failed", "undone"};

Json to_json(const StepAction& action) {
  return {{"kind", action.kind},
          {"verb", action.verb},
          {"address", action.address},
          {"arguments", action.arguments}};
}

StepAction action_from(const Json& json) {
  return {json.at("kind"), json.at("verb"), json.at("address"), json.at("arguments")};
}

Json to_json(const std::optional<Undo>& undo) {
  if (!undo) return nullptr;
  return {{"action", to_json(undo->action)}, {"disruption", to_string(undo->disruption)}};
}

/// A level that this version does not know is more than any plan allows.
Disruption disruption_from(const Json& json) {
  return parse_disruption(json.get<std::string>()).value_or(Disruption::reboot);
}

std::optional<Undo> undo_from(const Json& json) {
  if (json.is_null()) return std::nullopt;
  return Undo{action_from(json.at("action")), disruption_from(json.at("disruption"))};
}

Json to_json(const std::optional<StepRecord::Owned>& owned) {
  if (!owned) return nullptr;
  Json json{{"address", owned->address}, {"object", nullptr}};
  if (owned->before)
    json["object"] = {{"before", owned->before->before}, {"applied", owned->before->applied}};
  return json;
}

std::optional<StepRecord::Owned> owned_from(const Json& json) {
  if (json.is_null()) return std::nullopt;
  StepRecord::Owned owned{.address = json.at("address"), .before = {}};
  if (const auto& object = json.at("object"); !object.is_null())
    owned.before = Ownership::Object{object.at("before"), object.at("applied")};
  return owned;
}

Json to_json(const StepRecord& record) {
  return {{"action", to_json(record.action)}, {"title", record.title}, {"lanes", record.lanes},
          {"derived", record.derived},        {"after", record.after}, {"undo", to_json(record.undo)},
          {"owned", to_json(record.owned)}};
}

StepRecord step_from(const Json& json) {
  StepRecord record{.action = action_from(json.at("action")),
                    .title = json.at("title"),
                    .lanes = json.at("lanes"),
                    .derived = json.at("derived"),
                    .after = json.at("after"),
                    .undo = undo_from(json.at("undo")),
                    .owned = owned_from(json.at("owned"))};
  return record;
}

Json to_json(const Journal::Header& header) {
  return {{"record", "run"},
          {"format_version", format_version},
          {"document", header.document},
          {"document_sha256", header.document_sha256},
          {"boot_id", header.boot_id},
          {"started", header.started},
          {"allowed", to_string(header.allowed)},
          {"rollback", header.rollback},
          {"trial", header.trial}};
}

Journal::Header header_from(const Json& json) {
  return {.document = json.at("document"),
          .document_sha256 = json.value("document_sha256", ""),
          .boot_id = json.at("boot_id"),
          .started = json.at("started"),
          .allowed = disruption_from(json.at("allowed")),
          .rollback = json.at("rollback"),
          .trial = json.value("trial", false)};
}

std::string line_of(const Json& record) {
  return record.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

StepRecord::State state_from(const std::string& word) {
  for (std::size_t i = 0; i < state_words.size(); ++i)
    if (word == state_words[i]) return static_cast<StepRecord::State>(i);
  return StepRecord::State::intended;
}

}  // namespace

Result<std::optional<Journal>> Journal::load(const FileReader& files) try {
  const auto text = files.read(path);
  if (!text && text.error().kind == ErrorKind::not_found) return std::nullopt;
  if (!text) return std::unexpected(text.error());
  std::optional<Journal> journal;
  for (const auto line : lines(*text)) {
    const Json record = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (record.is_discarded()) continue;
    if (journal) {
      journal->take(record);
      continue;
    }
    if (record.at("format_version") > format_version)
      return fail(ErrorKind::stale, fmt::format("{} was written by a newer gpuhost", path),
                  "use the newer gpuhost that wrote it");
    journal.emplace(header_from(record));
    journal->on_disk_ = true;
  }
  if (journal) journal->torn_ = !text->ends_with('\n');
  return journal;
} catch (const std::exception& damage) {  // a member that lacks, another type, a number out of range
  return fail(ErrorKind::invalid, fmt::format("cannot use {}: {}", path, damage.what()),
              "look at what the interrupted run was doing, bring the host into order, and remove the file");
}

void Journal::take(const Json& record) {
  const std::string word = record.at("record");
  if (word == "step") {
    steps_.push_back(step_from(record));
    if (const auto& release = record.at("release"); !release.is_null())
      obligations_.push_back({action_from(release.at("action")), release.at("title")});
  } else if (word == "end") {
    steps_.at(record.at("step")).state = state_from(record.at("state"));
  } else if (word == "released") {
    obligations_.at(record.at("obligation")).discharged = true;
  } else if (word == "awaits_confirmation") {
    confirm_until_ = std::chrono::seconds(record.at("until_s").get<std::int64_t>());
  }
}

Result<void> Journal::write(const Json& record, FileWriter& files) {
  // The first record replaces what a crash in the middle of an earlier first record may have left.
  auto written = on_disk_ ? files.append(path, (torn_ ? "\n" : "") + line_of(record))
                          : files.replace(path, line_of(to_json(header_)) + line_of(record), 0600);
  if (!written) return std::unexpected(std::move(written).error().within("the run cannot be recorded"));
  on_disk_ = true;
  torn_ = false;
  return {};
}

Result<std::size_t> Journal::begin(StepRecord step, std::optional<Obligation> obligation, FileWriter& files) {
  auto record = to_json(step);
  record["record"] = "step";
  record["release"] = nullptr;
  if (obligation) record["release"] = {{"action", to_json(obligation->action)}, {"title", obligation->title}};
  if (auto written = write(record, files); !written) return fail(std::move(written));
  steps_.push_back(std::move(step));
  if (obligation) obligations_.push_back(*std::move(obligation));
  return steps_.size() - 1;
}

Result<void> Journal::end(std::size_t record, StepRecord::State state, FileWriter& files) {
  steps_.at(record).state = state;
  return write(
      {{"record", "end"}, {"step", record}, {"state", state_words.at(static_cast<std::size_t>(state))}},
      files);
}

Result<void> Journal::discharge(std::size_t obligation, FileWriter& files) {
  obligations_.at(obligation).discharged = true;
  return write({{"record", "released"}, {"obligation", obligation}}, files);
}

Result<void> Journal::await_confirmation(std::chrono::seconds until, FileWriter& files) {
  if (steps_.empty()) return {};
  confirm_until_ = until;
  return write({{"record", "awaits_confirmation"}, {"until_s", until.count()}}, files);
}

std::optional<std::chrono::seconds> Journal::time_to_confirm(const HostView& host) const {
  using std::chrono::seconds;
  if (!confirm_until_) return std::nullopt;
  if (HostIdentity::read(host.files).boot_id != header_.boot_id) return seconds::zero();
  const auto now = std::chrono::floor<seconds>(host.clock.since_boot());
  return std::max(*confirm_until_ - now, seconds::zero());
}

Result<void> Journal::close(FileWriter& files) {
  if (!on_disk_) return {};
  if (auto removed = files.remove(path); !removed) return removed;
  on_disk_ = false;
  return {};
}

}  // namespace gpuhost
