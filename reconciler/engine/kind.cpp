#include "engine/kind.hpp"

#include <utility>

namespace gpuhost {

std::string_view to_string(Truth::Value value) {
  switch (value) {
    case Truth::Value::no:
      return "no";
    case Truth::Value::yes:
      return "yes";
    case Truth::Value::unknown:
      return "unknown";
  }
  std::unreachable();
}

std::string_view to_string(Finding::Verdict verdict) {
  switch (verdict) {
    case Finding::Verdict::in_sync:
      return "in_sync";
    case Finding::Verdict::differs:
      return "differs";
    case Finding::Verdict::pending_reboot:
      return "pending_reboot";
    case Finding::Verdict::unknown:
      return "unknown";
  }
  std::unreachable();
}

std::string_view to_string(Condition::Type type) {
  return type == Condition::Type::degraded ? "Degraded" : "PendingGuestRestart";
}

std::optional<Truth> Kind::holds(const Fact&, const Observation&) const {
  return std::nullopt;
}
std::vector<Offer> Kind::offer(const Fact&, const Observation&, const PlanInput&) const {
  return {};
}
std::string Kind::obstacle(const Fact&, const Observation&) const {
  return {};
}
Result<void> Kind::remember(const Observation&, Host&) const {
  return {};
}
std::string Kind::advice(const Fact&) const {
  return {};
}

}  // namespace gpuhost
