#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "engine/step.hpp"
#include "host/files.hpp"

namespace gpuhost {

/// Which document set which object, to what, and what was there before. Kept in `Ownership::path` on the
/// host.
class Ownership {
 public:
  static constexpr const char* path = "/var/lib/gpuhost/ownership.json";

  struct Object {
    Json before;   ///< null: it was absent
    Json applied;  ///< what the document's last run set
    bool operator==(const Object&) const = default;
  };
  using Objects = std::map<std::string, Object>;  ///< by address

  /// No file is no ownership. stale: written by a newer gpuhost; invalid: not readable as ownership.
  [[nodiscard]] static Result<Ownership> load(const FileReader& files);

  /// What `document` owns.
  [[nodiscard]] const Objects& of(const std::string& document) const;
  [[nodiscard]] const Object* find(const std::string& document, const std::string& address) const;
  /// Another document that owns the object, if one does.
  [[nodiscard]] std::optional<std::string> other_owner(const std::string& document,
                                                       const std::string& address) const;

  /// Every owned address, whoever owns it.
  [[nodiscard]] std::set<std::string> addresses() const;
  /// Every document that owns something, in order of name.
  [[nodiscard]] std::vector<std::string> documents() const;

  void claim(const std::string& document, const Claim& claim);
  void give_back(const std::string& document, const std::string& address);
  /// What was recorded before; nothing: it was not owned.
  void restore(const std::string& document, const std::string& address, std::optional<Object> object);

  [[nodiscard]] bool empty() const;
  /// Writes it to `path`.
  Result<void> store(const FileReader& reader, FileWriter& files) const;
  bool operator==(const Ownership&) const = default;

 private:
  std::map<std::string, Objects> documents_;
};

}  // namespace gpuhost
