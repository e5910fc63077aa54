#pragma once

#include <algorithm>
#include <compare>
#include <string>
#include <string_view>
#include <utility>

namespace gpuhost {

/// Something that can be true of a host: subject "module/nvidia", state "loaded". Kinds meet in facts and
/// nowhere else; the words of each kind stand in its header.
struct Fact {
  std::string subject;
  std::string state;
  auto operator<=>(const Fact&) const = default;
  [[nodiscard]] std::string to_string() const { return subject + " " + state; }
  /// "kernel parameter intel_iommu is on": for messages.
  [[nodiscard]] std::string sentence() const {
    std::string text = subject + " is " + state;
    std::replace(text.begin(), std::ranges::find(text, '/'), '_', ' ');
    std::ranges::replace(text, '/', ' ');
    return text;
  }
};

/// Whether a fact is true of the host as it was observed.
struct Truth {
  enum class Value { no, yes, unknown };
  Value value = Value::no;
  std::string reason = {};  ///< why it cannot be told; for unknown only

  [[nodiscard]] static Truth of(bool holds) { return {holds ? Value::yes : Value::no}; }
  [[nodiscard]] static Truth unknown(std::string why) { return {Value::unknown, std::move(why)}; }
};

[[nodiscard]] std::string_view to_string(Truth::Value value);

}  // namespace gpuhost
