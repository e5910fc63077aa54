#include "engine/ownership.hpp"

#include <fmt/format.h>

namespace gpuhost {

namespace {

constexpr int format_version = 1;

Error unreadable(std::string_view why) {
  return Error{ErrorKind::invalid, fmt::format("cannot use {}: {}", Ownership::path, why),
               "restore the file from a backup; without it gpuhost cannot tell what it owns"};
}

}  // namespace

Result<Ownership> Ownership::load(const FileReader& files) {
  auto text = files.read(path);
  if (!text) {
    if (text.error().kind == ErrorKind::not_found) return Ownership{};
    return fail(std::move(text));
  }
  const Json json = Json::parse(*text, nullptr, false);
  if (!json.is_object() || !json.contains("format_version") || !json["format_version"].is_number_integer())
    return std::unexpected(unreadable("it is not an ownership record"));
  if (json["format_version"].get<int>() > format_version)
    return fail(ErrorKind::stale,
                fmt::format("{} has format version {}, this gpuhost knows {}", path,
                            json["format_version"].get<int>(), format_version),
                "use the newer gpuhost that wrote it");
  if (!json.contains("documents") || !json["documents"].is_object())
    return std::unexpected(unreadable("it has no documents"));
  Ownership owned;
  for (const auto& [document, objects] : json["documents"].items()) {
    if (!objects.is_object()) return std::unexpected(unreadable("objects of a document are not a map"));
    for (const auto& [address, object] : objects.items()) {
      if (!object.is_object() || !object.contains("before") || !object.contains("applied"))
        return std::unexpected(unreadable(fmt::format("'{}' lacks before or applied", address)));
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

std::string Ownership::serialise() const {
  Json documents = Json::object();
  for (const auto& [name, objects] : documents_)
    for (const auto& [address, object] : objects)
      documents[name][address] = {{"before", object.before}, {"applied", object.applied}};
  return Json{{"format_version", format_version}, {"documents", std::move(documents)}}.dump(2) + "\n";
}

}  // namespace gpuhost
