#pragma once

#include <string>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace gpuhost {

/// The file that takes the output of one service under /run/gpuhost/runs, readable by root only.
class RunLog {
 public:
  /// Makes it, empty, for a unit name that was never used before.
  [[nodiscard]] static Result<RunLog> make(const std::string& unit);

  [[nodiscard]] std::string path() const;
  /// The last command_output_limit bytes.
  [[nodiscard]] Result<std::string> tail() const;
  void remove() const;

 private:
  RunLog(UniqueFd directory, std::string name, UniqueFd file)
      : directory_(std::move(directory)), name_(std::move(name)), file_(std::move(file)) {}

  UniqueFd directory_;
  std::string name_;
  UniqueFd file_;
};

}  // namespace gpuhost
