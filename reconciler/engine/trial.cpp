#include "engine/trial.hpp"

#include "host/state_record.hpp"

namespace gpuhost {

namespace {

constexpr StateRecord file{trials_path, "remove it; what it held is which documents were never confirmed"};

Result<void> store(const Trials& trials, Host& host) {
  if (trials.empty()) return host.files.remove(trials_path);
  return file.write(host.view.files, host.files, {{"documents", trials}});
}

}  // namespace

Result<Trials> load_trials(const FileReader& files) try {
  const auto record = file.read(files);
  if (!record) return std::unexpected(record.error());
  if (record->is_null()) return Trials{};
  const auto& documents = record->at("documents");
  if (!documents.is_object()) return std::unexpected(file.damaged("its documents are no map"));
  return documents.get<Trials>();
} catch (const Json::exception& damage) {
  return std::unexpected(file.damaged(damage.what()));
}

Result<void> begin_trial(const std::string& document, const std::string& sha256, Host& host) {
  auto trials = load_trials(host.view.files);
  if (!trials) return fail(std::move(trials));
  auto& known = (*trials)[document];
  if (known == sha256) return {};
  known = sha256;
  return store(*trials, host);
}

Result<void> end_trial(const std::string& document, Host& host) {
  auto trials = load_trials(host.view.files);
  if (!trials) return fail(std::move(trials));
  if (trials->erase(document) == 0) return {};
  return store(*trials, host);
}

}  // namespace gpuhost
