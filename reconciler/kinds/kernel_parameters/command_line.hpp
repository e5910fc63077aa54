#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"

namespace gpuhost {

/// The values of one key in order, one for each occurrence; nullopt: the key alone. Empty: the key is absent.
using Occurrences = std::vector<std::optional<std::string>>;

/// A kernel command line as the kernel reads it.
class CommandLine {
 public:
  CommandLine() = default;
  explicit CommandLine(std::string text) : text_(std::move(text)) {}

  [[nodiscard]] const std::string& text() const { return text_; }
  /// `-` and `_` in the key are the same.
  [[nodiscard]] Occurrences of(std::string_view key) const;
  /// The same line with these values for the key, where its first occurrence was, else behind the last word;
  /// all other words keep their place and spelling.
  [[nodiscard]] CommandLine with(std::string_view key, const Occurrences& values) const;
  /// The words as written.
  [[nodiscard]] std::vector<std::string> words() const;

 private:
  std::string text_;
};

/// Words that no configuration says: of GRUB, of kernel-install, and of Ubuntu's grub.cfg.
[[nodiscard]] bool added_by_loader(std::string_view key);

/// The words that are not.
[[nodiscard]] std::vector<std::string> configured_words(const CommandLine& line);

/// "intel_iommu=on", "console=tty0 console=ttyS0": the words for a key; empty when it is absent.
[[nodiscard]] std::string words_for(std::string_view key, const Occurrences& values);

/// As plans and records show them: null when absent, true for a key alone, the value, or the list of values.
[[nodiscard]] Json json_of(const Occurrences& values);
/// The inverse; what is no such JSON counts as absent.
[[nodiscard]] Occurrences occurrences_from(const Json& json);

/// Whether key and values are words of a kernel command line, whatever file or record they come from: no line
/// ends, no quotes inside.
[[nodiscard]] Result<void> check_words(std::string_view key, const Occurrences& values);

/// Whether key and values can stand in a file that a shell reads: no blanks, quotes, `$`, backquote or
/// backslash.
[[nodiscard]] Result<void> check_shell_safe(std::string_view key, const Occurrences& values);

}  // namespace gpuhost
