#pragma once

#include <map>
#include <string>
#include <string_view>

#include "kinds/kernel_parameters/command_line.hpp"

namespace gpuhost {

/// gpuhost's own file among GRUB's defaults, with the keys of all documents. grub-mkconfig's shell sources
/// it, so it takes words out of what the files before it set, and adds its own.
class GrubDropIn {
 public:
  static constexpr const char* path = "/etc/default/grub.d/zz-gpuhost.cfg";

  GrubDropIn() = default;
  [[nodiscard]] static GrubDropIn parse(std::string_view text);

  struct Entry {
    std::string key;  ///< as written
    Occurrences values;
    bool operator==(const Entry&) const = default;
  };
  /// Null: the drop-in says nothing of the key.
  [[nodiscard]] const Entry* find(std::string_view key) const;
  void set(std::string_view key, Occurrences values);
  void erase(std::string_view key);

  [[nodiscard]] bool empty() const { return entries_.empty(); }
  /// False when the shell text is not what the comment lines at its top say: another hand was there.
  [[nodiscard]] bool intact() const { return intact_; }
  /// What a command line becomes through it.
  [[nodiscard]] CommandLine applied_to(CommandLine line) const;
  [[nodiscard]] std::string render() const;

 private:
  void set_if_safe(std::string_view key, Occurrences values);

  std::map<std::string, Entry> entries_;  // by key with `_`
  bool intact_ = true;
};

}  // namespace gpuhost
