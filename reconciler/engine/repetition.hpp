#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/step.hpp"

namespace gpuhost {

struct Plan;

/// How often the rounds of a phase have done each step. A step that is due again was done, read back, and
/// then undone by something else on the host, which may be gpuhost's own look: asking libvirt for its guests
/// starts it.
class Repetition {
 public:
  /// A step that has come to its end.
  void done(const Step& step);
  /// Of a plan whose first phase holds nothing but steps that were done twice already: which, in one
  /// sentence. Empty: the next round may yet bring it nearer.
  [[nodiscard]] std::string in_vain(const Plan& plan) const;
  void clear() { done_.clear(); }

 private:
  std::vector<std::pair<StepAction, unsigned>> done_;
};

}  // namespace gpuhost
