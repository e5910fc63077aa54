#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace gpuhost {

/// As much of sh as the files read by grub-mkconfig need: comments, assignments with quotes and variables,
/// `set -f`, `set +f`, and the loop that drops words from a list:
///
///     for WORD in $LIST; do
///       case $WORD in
///         PATTERN|PATTERN) ;;
///         *) KEPT="$KEPT $WORD" ;;
///       esac
///     done
///
/// All else is an error, so that the simulator never pretends to have understood a file. A variable set from
/// a command substitution may be there, as in the default files of Debian and RHEL, but not be used.
class GrubShell {
 public:
  /// Runs a script after those before it. Errors: invalid, with `name` and the line.
  Result<void> run(std::string_view name, std::string_view script);
  /// Empty when never set.
  [[nodiscard]] std::string value(const std::string& variable) const;

 private:
  friend class GrubScript;
  std::map<std::string, std::string> variables_;
  std::set<std::string> unknown_;  ///< set from a command
  bool globs_ = true;              ///< until `set -f`
};

}  // namespace gpuhost
