#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "document/node.hpp"

namespace gpuhost {

/// One file, as it was read.
struct Source {
  std::string name;  ///< as the user gave it
  std::string text;
};

/// A message the decoder can give. All of them stand in `all_messages()`, each with a stable id, so that a
/// test can ask for a case of each.
struct Message {
  std::string_view id;       ///< "unknown-key"
  std::string_view meaning;  ///< one line, for the documentation
};

/// Every Message that exists, in order of id.
[[nodiscard]] std::span<const Message* const> all_messages();

struct Problem {
  const Message* message = nullptr;
  Mark mark;
  std::string text;                ///< what is wrong: "unknown key 'vgpu'"
  std::string advice = {};         ///< what to do: "did you mean 'vgpus'?"
  std::optional<Mark> other = {};  ///< the second place of a conflict
};

/// Collects every problem of all sources. Owns the sources, so that marks stay meaningful.
class Diagnostics {
 public:
  static constexpr std::size_t most_problems = 1000;  ///< further ones are dropped

  /// Returns the index for Mark::source.
  std::uint32_t add_source(Source source);
  void report(const Message& message, Mark mark, std::string text, std::string advice = {},
              std::optional<Mark> other = {});

  [[nodiscard]] bool empty() const { return problems_.empty(); }
  /// By source, line and column; a problem that was found twice (in a layout that two GPUs use) stands there
  /// once.
  [[nodiscard]] std::vector<Problem> sorted() const;
  [[nodiscard]] const Source& source(std::uint32_t index) const { return sources_[index]; }
  [[nodiscard]] std::uint32_t source_count() const { return static_cast<std::uint32_t>(sources_.size()); }
  /// "FILE:LINE:COLUMN".
  [[nodiscard]] std::string place(Mark mark) const;
  /// All problems for people: place, text, the offending line with a caret, advice. Text of the source is
  /// escaped.
  [[nodiscard]] std::string render() const;

 private:
  std::vector<Source> sources_;
  std::vector<Problem> problems_;
};

}  // namespace gpuhost
