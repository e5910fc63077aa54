#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "base/text.hpp"
#include "engine/plan.hpp"

namespace gpuhost {

/// A plan of everything that might be said, to see what is so.
class ExportFacts {
 public:
  explicit ExportFacts(Plan plan) : plan_(std::move(plan)) {}

  /// Something was found about the object, all of it in sync, and nothing would be done to it.
  [[nodiscard]] bool in_sync(const std::string& address) const {
    bool seen = false;
    for (const auto& finding : plan_.findings) {
      if (!belongs(finding.address, address)) continue;
      if (finding.verdict != Finding::Verdict::in_sync) return false;
      seen = true;
    }
    // What another document owns stays that document's.
    const bool conflict = std::ranges::any_of(plan_.notes, [&](const Note& note) {
      return note.severity == Note::Severity::error && belongs(note.address, address);
    });
    return seen && !conflict && std::ranges::none_of(plan_.steps, [&](const PlannedStep& planned) {
             return belongs(planned.step.action.address, address);
           });
  }

 private:
  static bool belongs(const std::string& found, const std::string& address) {
    const auto same = underscored(found);
    const auto wanted = underscored(address);
    return same == wanted || same.starts_with(wanted + ".");
  }
  Plan plan_;
};

}  // namespace gpuhost
