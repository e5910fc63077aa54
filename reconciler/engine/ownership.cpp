#include "engine/ownership.hpp"

#include <fmt/format.h>

#include "host/state_record.hpp"

namespace gpuhost {

namespace {

constexpr StateRecord file{Ownership::path,
                           "restore the file from a backup; without it gpuhost cannot tell what it owns"};

std::unexpected<Error> unreadable(std::string_view why) {
  return std::unexpected(file.damaged(why));
}

}  // namespace

Result<Ownership> Ownership::load(const FileReader& files) {
  const auto record = file.read(files);
  if (!record) return std::unexpected(record.error());
  if (record->is_null()) return Ownership{};
  const auto& json = *record;
  if (!json.contains("documents") || !json["documents"].is_object()) return unreadable("it has no documents");
  Ownership owned;
  for (const auto& [document, objects] : json["documents"].items()) {
    if (!objects.is_object()) return unreadable("objects of a document are not a map");
    for (const auto& [address, object] : objects.items()) {
      if (!object.is_object() || !object.contains("before") || !object.contains("applied"))
        return unreadable(fmt::format("'{}' lacks before or applied", address));
      owned.documents_[document][address] = {object["before"], object["applied"]};
    }
  }
  return owned;
}

const Ownership::Objects& Ownership::of(const std::string& document) const {
  static const Objects nothing;
  const auto found = documents_.find(document);
  return found == documents_.end() ? nothing : found->second;
}

const Ownership::Object* Ownership::find(const std::string& document, const std::string& address) const {
  const auto& objects = of(document);
  const auto found = objects.find(address);
  return found == objects.end() ? nullptr : &found->second;
}

std::optional<std::string> Ownership::other_owner(const std::string& document,
                                                  const std::string& address) const {
  for (const auto& [name, objects] : documents_)
    if (name != document && objects.contains(address)) return name;
  return std::nullopt;
}

std::set<std::string> Ownership::addresses() const {
  std::set<std::string> all;
  for (const auto& [document, objects] : documents_)
    for (const auto& [address, object] : objects) all.insert(address);
  return all;
}

std::vector<std::string> Ownership::documents() const {
  std::vector<std::string> names;
  for (const auto& [document, objects] : documents_) names.push_back(document);
  return names;
}

void Ownership::claim(const std::string& document, const Claim& claim) {
  auto [object, is_new] =
      documents_[document].try_emplace(claim.address, Object{claim.before, claim.applied});
  if (!is_new) object->second.applied = claim.applied;
}

void Ownership::give_back(const std::string& document, const std::string& address) {
  const auto found = documents_.find(document);
  if (found == documents_.end()) return;
  found->second.erase(address);
  if (found->second.empty()) documents_.erase(found);
}

void Ownership::restore(const std::string& document, const std::string& address,
                        std::optional<Object> object) {
  if (object)
    documents_[document].insert_or_assign(address, *std::move(object));
  else
    give_back(document, address);
}

bool Ownership::empty() const {
  return documents_.empty();
}

Result<void> Ownership::store(const FileReader& reader, FileWriter& files) const {
  Json documents = Json::object();
  for (const auto& [name, objects] : documents_)
    for (const auto& [address, object] : objects)
      documents[name][address] = {{"before", object.before}, {"applied", object.applied}};
  return file.write(reader, files, {{"documents", std::move(documents)}});
}

}  // namespace gpuhost
