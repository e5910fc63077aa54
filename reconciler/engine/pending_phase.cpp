#include "engine/pending_phase.hpp"

#include "host/state_record.hpp"

namespace gpuhost {

namespace {

constexpr StateRecord file{pending_phases_path,
                           "remove it, and apply the document again to finish what was staged"};

Json to_json(const PendingPhase& phase) {
  return {{"document_sha256", phase.document_sha256},
          {"boot_id", phase.boot_id},
          {"bounds", phase.bounds.to_json()},
          {"reboots_left", phase.reboots_left},
          {"boots", phase.boots},
          {"begun_in", phase.begun_in}};
}

PendingPhase phase_from(const Json& json) {
  return {.document_sha256 = json.at("document_sha256"),
          .boot_id = json.at("boot_id"),
          .bounds = Bounds::from(json.at("bounds")),
          .reboots_left = json.at("reboots_left"),
          .boots = json.at("boots"),
          .begun_in = json.at("begun_in")};
}

Result<void> store(const PendingPhases& phases, Host& host) {
  if (phases.empty()) return host.files.remove(pending_phases_path);
  Json documents = Json::object();
  for (const auto& [name, phase] : phases) documents[name] = to_json(phase);
  return file.write(host.view.files, host.files, {{"documents", std::move(documents)}});
}

}  // namespace

Result<PendingPhases> load_pending_phases(const FileReader& files) try {
  const auto record = file.read(files);
  if (!record) return std::unexpected(record.error());
  PendingPhases phases;
  if (record->is_null()) return phases;
  const auto& documents = record->at("documents");
  if (!documents.is_object()) return std::unexpected(file.damaged("its documents are no map"));
  for (const auto& [name, phase] : documents.items()) phases.emplace(name, phase_from(phase));
  return phases;
} catch (const Json::exception& damage) {
  return std::unexpected(file.damaged(damage.what()));
}

Result<void> leave_pending(const std::string& document, PendingPhase phase, const Plan& left, Host& host) {
  auto phases = load_pending_phases(host.view.files);
  if (!phases) return fail(std::move(phases));
  const auto known = phases->find(document);
  const bool enough = known != phases->end() && known->second.document_sha256 == phase.document_sha256 &&
                      known->second.boot_id == phase.boot_id &&
                      known->second.reboots_left == phase.reboots_left &&
                      known->second.boots == phase.boots && known->second.begun_in == phase.begun_in &&
                      known->second.bounds.exceeded_by(left, false).empty();
  if (enough) return {};
  phases->insert_or_assign(document, std::move(phase));
  return store(*phases, host);
}

Result<void> begin_pending(const std::string& document, PendingPhase& phase, const std::string& boot_now,
                           Host& host) {
  if (phase.begun_in == boot_now) return {};
  auto phases = load_pending_phases(host.view.files);
  if (!phases) return fail(std::move(phases));
  ++phase.boots;
  phase.begun_in = boot_now;
  phases->insert_or_assign(document, phase);
  return store(*phases, host);
}

Result<void> end_pending(const std::string& document, Host& host) {
  auto phases = load_pending_phases(host.view.files);
  if (!phases) return fail(std::move(phases));
  if (phases->erase(document) == 0) return {};
  return store(*phases, host);
}

Result<void> end_outdated_pending(const std::string& document, const std::string& sha256, Host& host) {
  const auto phases = load_pending_phases(host.view.files);
  if (!phases) return std::unexpected(phases.error());
  const auto known = phases->find(document);
  if (known == phases->end() || known->second.document_sha256 == sha256) return {};
  return end_pending(document, host);
}

}  // namespace gpuhost
