#pragma once

#include <span>

#include "base/json.hpp"
#include "base/result.hpp"
#include "host/files.hpp"

namespace gpuhost {

/// A JSON object that gpuhost keeps on the host, with the version of its format in `format_version`. Older
/// ones are read as if they were of today; newer ones are not touched.
struct StateRecord {
  /// Turns a record into one of the next version; its `format_version` is not its concern. False: it is
  /// damaged.
  using Migration = bool (*)(Json& record);

  const char* path;
  const char* if_damaged;                      ///< what to do about a file that is no such record
  std::span<const Migration> migrations = {};  ///< from version 1 on

  /// That of the records this gpuhost writes.
  [[nodiscard]] int version() const { return static_cast<int>(migrations.size()) + 1; }

  /// Null: there is no file. stale: written by a newer gpuhost; invalid: it is no such record.
  [[nodiscard]] Result<Json> read(const FileReader& files) const;
  /// An older record that it replaces is kept beside it: "identity.json.v1".
  Result<void> write(const FileReader& reader, FileWriter& files, Json record, unsigned mode = 0644) const;
  /// The error of a record that is not as it should be.
  [[nodiscard]] Error damaged(std::string_view why) const;
};

}  // namespace gpuhost
