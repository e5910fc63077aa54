#include "host/sim/grub_shell.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "base/text.hpp"

namespace gpuhost {

namespace {

bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_name(char c) {
  return is_name_start(c) || (c >= '0' && c <= '9');
}
bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

/// Characters of an unquoted word that mean themselves to sh.
bool is_plain(char c) {
  constexpr std::string_view others = "_-+=:,./@%^!{}[]*?";
  return is_name(c) || others.find(c) != std::string_view::npos;
}

bool is_pattern(char c) {
  constexpr std::string_view others = "-=.*:,/+@";
  return is_name(c) || others.find(c) != std::string_view::npos;
}

}  // namespace

/// One script under way: a cursor over its text. Every reader leaves the cursor behind what it has read; the
/// first problem is kept and ends the run.
class GrubScript {
 public:
  GrubScript(GrubShell& shell, std::string_view name, std::string_view text)
      : shell_(shell), name_(name), text_(text) {}

  Result<void> run() {
    while (!problem_) {
      skip_space();
      if (at_end()) return {};
      statement();
    }
    return std::unexpected(*std::move(problem_));
  }

 private:
  /// The text of a word, nothing in `text` of value when it came from a command.
  struct Word {
    std::string text;
    bool from_command = false;
  };

  void statement() {
    if (take("set -f")) return options(false);
    if (take("set +f")) return options(true);
    if (take("for ")) return loop();
    assignment();
  }

  void options(bool globs) {
    shell_.globs_ = globs;
    end_of_statement();
  }

  void assignment() {
    const std::string variable = name();
    if (variable.empty() || !take("="))
      return refuse("only assignments and gpuhost's own loop are understood");
    Word value = word();
    if (problem_) return;
    if (!at_end() && !is_blank(peek()) && peek() != '\n' && peek() != ';')
      return refuse("unexpected character");
    set(variable, std::move(value));
    // Further words on the line may be assignments too; `A=1 command` is refused there.
    skip_blanks();
    if (!at_end() && peek() == ';') ++at_;
  }

  void set(const std::string& variable, Word value) {
    shell_.variables_[variable] = std::move(value.text);
    if (value.from_command) {
      shell_.unknown_.insert(variable);
    } else {
      shell_.unknown_.erase(variable);
    }
  }

  Word word() {
    Word read;
    while (!problem_ && !at_end()) {
      const char c = peek();
      if (c == '\'') {
        ++at_;
        read.text += until('\'');
      } else if (c == '"') {
        ++at_;
        double_quoted(read);
      } else if (c == '$' || c == '`') {
        expansion(read);
      } else if (c == '\\' && at_ + 1 < text_.size()) {
        if (text_[at_ + 1] != '\n') read.text += text_[at_ + 1];
        at_ += 2;
      } else if (is_plain(c) || (c == '#' && !read.text.empty())) {
        read.text += c;
        ++at_;
      } else {
        break;
      }
    }
    return read;
  }

  void double_quoted(Word& read) {
    while (!problem_) {
      if (at_end()) return refuse("a quote is not closed");
      const char c = peek();
      if (c == '"') {
        ++at_;
        return;
      }
      if (c == '$' || c == '`') {
        expansion(read);
      } else if (c == '\\' && at_ + 1 < text_.size()) {
        const char next = text_[at_ + 1];
        if (next != '$' && next != '`' && next != '"' && next != '\\' && next != '\n') read.text += '\\';
        if (next != '\n') read.text += next;
        at_ += 2;
      } else {
        read.text += c;
        ++at_;
      }
    }
  }

  /// $NAME, ${NAME}, $(command) or `command`.
  void expansion(Word& read) {
    if (take("`")) {
      until('`');
      read.from_command = true;
      return;
    }
    if (take("$(")) return command_substitution(read);
    ++at_;
    const bool braces = take("{");
    const std::string variable = name();
    if (variable.empty() || (braces && !take("}"))) return refuse("only $NAME and ${NAME} are understood");
    read.text += known_value(variable);
  }

  std::string known_value(const std::string& variable) {
    if (shell_.unknown_.contains(variable)) {
      refuse(fmt::format("${} comes from a command, which the simulator does not run", variable));
    }
    return shell_.value(variable);
  }

  void command_substitution(Word& read) {
    read.from_command = true;
    for (int open = 1; open > 0; ++at_) {
      if (at_end() || peek() == '\n') return refuse("a command substitution is not closed");
      if (peek() == '(') ++open;
      if (peek() == ')') --open;
    }
  }

  void loop() {
    const std::string variable = name();
    if (!take_phrase({"in", "$"})) return refuse_loop();
    const std::string list = name();
    if (!take_phrase({";", "do"}) || !take_phrase({"case", "$"}) || !take(variable) || !take_phrase({"in"})) {
      return refuse_loop();
    }
    const auto dropped = patterns();
    if (!take_phrase({")", ";;", "*)"})) return refuse_loop();
    skip_space();
    const std::string kept = name();
    const std::string keeping = fmt::format("=\"${} ${}\"", kept, variable);
    if (!take(keeping) || !take_phrase({";;", "esac", "done"})) return refuse_loop();
    run_loop(variable, list, dropped, kept);
    end_of_statement();
  }

  void run_loop(const std::string& variable, const std::string& list, const std::vector<std::string>& dropped,
                const std::string& kept) {
    const std::string before = known_value(list);
    for (const auto word : words(before)) {
      if (shell_.globs_ && word.find_first_of("*?[") != std::string_view::npos) {
        return refuse(fmt::format("'{}' would be taken as file names; `set -f` is missing", word));
      }
      set(variable, {std::string(word)});
      if (std::ranges::any_of(dropped, [&](const auto& pattern) { return glob_matches(pattern, word); }))
        continue;
      set(kept, {known_value(kept) + " " + std::string(word)});
    }
  }

  /// What the case drops: PATTERN|PATTERN…
  std::vector<std::string> patterns() {
    std::vector<std::string> found;
    do {
      skip_space();
      const auto start = at_;
      while (!at_end() && is_pattern(peek())) ++at_;
      found.emplace_back(text_.substr(start, at_ - start));
    } while (take("|"));
    return found;
  }

  std::string name() {
    const auto start = at_;
    if (!at_end() && is_name_start(peek())) {
      while (!at_end() && is_name(peek())) ++at_;
    }
    return std::string(text_.substr(start, at_ - start));
  }

  /// Text up to `end`, which is passed over.
  std::string until(char end) {
    const auto found = text_.find(end, at_);
    if (found == std::string_view::npos) {
      refuse("a quote is not closed");
      return {};
    }
    return std::string(text_.substr(std::exchange(at_, found + 1), found - at_));
  }

  bool take(std::string_view expected) {
    if (!text_.substr(at_).starts_with(expected)) return false;
    at_ += expected.size();
    return true;
  }

  /// The tokens, with any blanks and line ends before each.
  bool take_phrase(std::initializer_list<std::string_view> tokens) {
    return std::ranges::all_of(tokens, [&](std::string_view token) {
      skip_space();
      return take(token);
    });
  }

  void end_of_statement() {
    skip_blanks();
    if (problem_ || at_end() || take("\n") || take(";") || peek() == '#') return;
    refuse("unexpected text after a statement");
  }

  void skip_blanks() {
    while (!at_end() && (is_blank(peek()) || text_.substr(at_).starts_with("\\\n")))
      at_ += is_blank(peek()) ? 1 : 2;
  }

  /// Blanks, line ends and comments.
  void skip_space() {
    for (skip_blanks(); !at_end(); skip_blanks()) {
      if (peek() == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (peek() == '\n') {
        ++at_;
      } else {
        return;
      }
    }
  }

  void refuse_loop() { refuse("this loop is not one that gpuhost writes"); }

  void refuse(std::string_view why) {
    if (problem_) return;
    const auto line = 1 + std::ranges::count(text_.substr(0, std::min(at_, text_.size())), '\n');
    problem_ = Error{ErrorKind::invalid, fmt::format("cannot interpret {}, line {}: {}", name_, line, why)};
  }

  [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
  [[nodiscard]] char peek() const { return text_[at_]; }

  GrubShell& shell_;
  std::string_view name_;
  std::string_view text_;
  std::size_t at_ = 0;
  std::optional<Error> problem_;
};

Result<void> GrubShell::run(std::string_view name, std::string_view script) {
  return GrubScript(*this, name, script).run();
}

std::string GrubShell::value(const std::string& variable) const {
  const auto found = variables_.find(variable);
  return found == variables_.end() ? std::string() : found->second;
}

}  // namespace gpuhost
