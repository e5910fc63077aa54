#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "host/files.hpp"

namespace gpuhost {

/// Reads each file at most once, so that a round sees one state of it and the host is asked once. Also the
/// record of what a round has looked at: `observe --record` writes it out. Lives for one round.
class MemoFiles final : public FileReader {
 public:
  explicit MemoFiles(const FileReader& files) : files_(files) {}

  [[nodiscard]] Result<std::string> read(const std::string& path) const override;
  [[nodiscard]] Result<std::vector<std::string>> list(const std::string& path) const override;
  [[nodiscard]] Result<std::string> link_target(const std::string& path) const override;
  [[nodiscard]] Result<FileStatus> status(const std::string& path) const override;
  [[nodiscard]] Result<std::string> digest(const std::string& path) const override;

  template <class T>
  using Memo = std::map<std::string, Result<T>>;
  /// What was asked so far, with the answers, errors included. Not to be called while another thread reads.
  [[nodiscard]] const Memo<std::string>& reads() const { return reads_; }
  [[nodiscard]] const Memo<std::vector<std::string>>& lists() const { return lists_; }
  [[nodiscard]] const Memo<std::string>& links() const { return links_; }
  [[nodiscard]] const Memo<FileStatus>& statuses() const { return statuses_; }
  [[nodiscard]] const Memo<std::string>& digests() const { return digests_; }

 private:
  const FileReader& files_;
  mutable std::mutex mutex_;
  mutable Memo<std::string> reads_;
  mutable Memo<std::vector<std::string>> lists_;
  mutable Memo<std::string> links_;
  mutable Memo<FileStatus> statuses_;
  mutable Memo<std::string> digests_;
};

}  // namespace gpuhost
