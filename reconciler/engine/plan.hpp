#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "engine/kind.hpp"
#include "engine/step.hpp"

namespace gpuhost {

/// A step in its place.
struct PlannedStep {
  std::string id;  ///< "s1", "s2" … in plan order
  Step step;
  std::vector<std::size_t> after;  ///< indices of the steps that must be done before, sorted
  std::size_t phase = 0;           ///< index into Plan::phases
  /// For the step that ends a bracket: the index of the step that opened it.
  std::optional<std::size_t> releases = {};
};

/// A stretch between reboots.
struct Phase {
  bool reboot_after = false;       ///< a reboot is the barrier at its end
  std::vector<std::size_t> steps;  ///< indices, in plan order
};

/// What was set by a run and found otherwise.
struct Drift {
  std::string address;
  Json applied;
  Json observed;
};

struct HostIdentity {
  std::string name;        ///< host name; empty if it cannot be read
  std::string machine_id;  ///< /etc/machine-id; empty if it cannot be read
  std::string kernel;      ///< release of the running kernel
  std::string boot_id;     ///< /proc/sys/kernel/random/boot_id

  /// Reads the four files; what cannot be read stays empty.
  [[nodiscard]] static HostIdentity read(const FileReader& files);
};

/// Address of notes on whom the reboot would hit who must not be hit.
inline constexpr const char* reboot_address = "reboot";

/// An immutable, ordered plan. All renderings come from it; the same input yields the same plan.
struct Plan {
  HostIdentity host;
  std::string document;         ///< metadata.name
  std::string document_sha256;  ///< of the merged document
  std::vector<PlannedStep> steps;
  std::vector<Phase> phases;
  std::vector<Finding> findings;  ///< every managed field, by address
  std::vector<Drift> drift;
  std::vector<Unmanaged> unmanaged;
  std::vector<Note> notes;
  std::vector<Condition> conditions;
  std::map<std::string, std::string>
      facts;  ///< what the order rests on: "module/nvidia loaded" to yes, no, unknown
  Disruption allowed = Disruption::none;  ///< policy.disruption in force
  Scope scope = Scope::all;               ///< what the plan is about
  bool complete = true;  ///< false: a part of the host that the document names could not be read

  /// No step is blocked and no note is an error.
  [[nodiscard]] bool applyable() const;
  /// Nothing to run, and nothing waits for a reboot.
  [[nodiscard]] bool empty() const;
  /// Something is staged, by this plan or an earlier run, that only a reboot makes true.
  [[nodiscard]] bool reboot_required() const;
  /// Why the host must not be rebooted now, each with what to do, as far as the policy would let it: notes at
  /// `reboot_address`.
  [[nodiscard]] std::vector<std::string> against_reboot() const;
  /// Of the step that does most to somebody.
  [[nodiscard]] Disruption most_disruption() const;
  /// Something that the document names is left out, as it allows.
  [[nodiscard]] bool degraded() const;
  /// SHA-256 of the facts the plan rests on: what was observed of every field it names.
  [[nodiscard]] std::string fingerprint() const;
};

}  // namespace gpuhost
