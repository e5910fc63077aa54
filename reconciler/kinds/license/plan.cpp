#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/gpu_ownership.hpp"
#include "kinds/license/kind.hpp"
#include "kinds/observed_json.hpp"

namespace gpuhost {

namespace {

/// What a document says, and the key that says it to the daemon.
struct Field {
  std::string_view address;
  std::string_view key;
};
constexpr Field server_field{"license.server", gridd_key::server};
constexpr Field port_field{"license.port", gridd_key::port};
constexpr Field feature_field{"license.feature", gridd_key::feature};
constexpr Field token_field{"license.tokenFile", gridd_key::token_folder};
constexpr std::array all_fields{server_field, port_field, feature_field, token_field};

using Verdict = Finding::Verdict;
using Line = std::optional<std::string>;

/// "chmod 744". Source: NVIDIA Virtual GPU Client Licensing User Guide, "Configuring a Licensed Client on
/// Linux".
constexpr unsigned token_mode = 0744;

std::string folder_of(const std::string& path) {
  return path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
}

Json json_of(const Line& line) {
  return line ? Json(*line) : Json();
}

/// What the daemon is told of what a document says, as a record has it; empty: the record is damaged.
std::string value_of(const Json& applied) {
  if (applied.is_object()) return folder_of(applied.value("file", std::string{}));
  if (applied.is_number_unsigned()) return applied.dump();
  const auto text = applied.is_string() ? applied.get<std::string>() : std::string{};
  return text == workstation_feature ? workstation_feature_type : text;
}

/// The daemon reads when it starts: it is down meanwhile, and up again if it was.
void need_daemon_down(const LicenseState& state, Step& step) {
  if (!state.daemon) return;
  const bool is_down = *state.daemon && (*state.daemon)->is_inactive();
  (is_down ? step.needs_now : step.needs).push_back({fmt::format("unit/{}", licence_service), "inactive"});
}

/// An installer may bring the file as well.
void need_daemon_there(const LicenseState& state, Step& step) {
  if (state.daemon && *state.daemon && (*state.daemon)->load_state == "not-found")
    step.needs.push_back({fmt::format("unit/{}", licence_service), "there"});
}

class Comparison {
 public:
  Comparison(const LicenseState& state, const PlanInput& input) : state_(state), input_(input) {}

  void desired(const LicenseSpec& spec) {
    if (spec.server) compare(server_field, *spec.server, *spec.server);
    if (spec.port) compare(port_field, std::to_string(*spec.port), *spec.port);
    compare(feature_field, workstation_feature_type, spec.feature);
    if (spec.token_file) compare_token(*spec.token_file);
    look_at_licence();
  }
  void give_back(const Field& field, const Ownership::Object& object);
  [[nodiscard]] Proposal finish() && { return std::move(proposal_); }

 private:
  void compare(const Field& field, const std::string& value, Json shown);
  void compare_token(const std::string& path);
  void check_token(const std::string& path);
  void look_at_licence();
  [[nodiscard]] Finding finding_of(const Field& field, Json shown) const;
  /// Whether the one thing that a plan can rest on is so: at most one line says it.
  [[nodiscard]] bool is_told_once(const Field& field, Finding& finding);
  [[nodiscard]] Line line_of(const Field& field) const;
  [[nodiscard]] Step set_step(const Field& field, const Line& line) const;

  const LicenseState& state_;
  const PlanInput& input_;
  Proposal proposal_;
};

Finding Comparison::finding_of(const Field& field, Json shown) const {
  Finding finding{.address = std::string(field.address), .desired = std::move(shown)};
  if (state_.config) return finding;
  finding.verdict = Verdict::unknown;
  finding.reason = state_.config.error().message;
  finding.permission = lacks_permission(state_.config.error());
  return finding;
}

bool Comparison::is_told_once(const Field& field, Finding& finding) {
  const auto count = state_.config->lines_of(field.key).size();
  if (count <= 1) return true;
  finding.verdict = Verdict::differs;
  finding.reason = fmt::format("{} lines of {} set {}", count, GriddConfig::path, field.key);
  proposal_.notes.push_back({Note::Severity::error, finding.address,
                             finding.reason + ", and which of them counts is not known",
                             "leave one of them"});
  return false;
}

Line Comparison::line_of(const Field& field) const {
  const auto lines = state_.config->lines_of(field.key);
  return lines.empty() ? Line{} : Line{lines.front()};
}

Step Comparison::set_step(const Field& field, const Line& line) const {
  const auto now = line_of(field);
  Step step;
  step.action = {std::string(License::kind_name),
                 set_line_verb,
                 std::string(field.address),
                 {{"key", field.key}, {"line", json_of(line)}}};
  step.actions = {!line ? "delete" : now ? "update" : "create"};
  step.title = line ? fmt::format("write {} to {}", *line, GriddConfig::path)
                    : fmt::format("take {} out of {}", field.key, GriddConfig::path);
  step.progress = fmt::format("writing {}", GriddConfig::path);
  step.before = json_of(now);
  step.after = json_of(line);
  step.lanes = {"gridd.conf"};
  need_daemon_down(state_, step);
  return step;
}

void Comparison::compare(const Field& field, const std::string& value, Json shown) {
  auto finding = finding_of(field, shown);
  if (state_.config && is_told_once(field, finding)) {
    const auto now = state_.config->value_of(field.key);
    if (now == value) {
      finding.observed = std::move(shown);
    } else {
      finding.verdict = Verdict::differs;
      if (now) finding.observed = *now;
      auto step = set_step(field, fmt::format("{}={}", field.key, value));
      need_daemon_there(state_, step);
      step.claims = Claim{finding.address, json_of(line_of(field)), finding.desired};
      proposal_.steps.push_back(std::move(step));
    }
  }
  proposal_.findings.push_back(std::move(finding));
}

/// The daemon is told the folder; the token stays where it is. One with another content under the same name
/// is read by the next start only, so that a change of what was named here before is a difference.
void Comparison::compare_token(const std::string& path) {
  const auto& token = *state_.token;
  auto finding =
      finding_of(token_field, token ? Json{{"file", path}, {"sha256", token->sha256}} : Json(path));
  check_token(path);
  if (!token && finding.verdict != Verdict::unknown) {
    const bool is_gone = token.error().kind == ErrorKind::not_found;
    finding.verdict = is_gone ? Verdict::differs : Verdict::unknown;
    finding.reason = token.error().message;
    finding.permission = lacks_permission(token.error());
  } else if (token && state_.config && is_told_once(token_field, finding)) {
    const auto folder = folder_of(path);
    const auto now = state_.config->value_of(token_field.key).value_or(default_token_folder);
    const auto* owned = input_.owned.find(input_.document, finding.address);
    const bool is_read = owned == nullptr || !owned->applied.is_object() ||
                         owned->applied.value("sha256", token->sha256) == token->sha256;
    finding.observed = now == folder ? finding.desired : Json(now);
    if (now != folder || !is_read) {
      finding.verdict = Verdict::differs;
      if (now == folder) finding.reason = "the token there is another one now";
      const auto line = now == folder ? line_of(token_field) : Line{};
      auto step = set_step(token_field, line.value_or(fmt::format("{}={}", token_field.key, folder)));
      if (now == folder) step.explanation = finding.reason;
      need_daemon_there(state_, step);
      step.claims = Claim{finding.address, json_of(line_of(token_field)), finding.desired};
      proposal_.steps.push_back(std::move(step));
    }
  }
  proposal_.findings.push_back(std::move(finding));
}

void Comparison::check_token(const std::string& path) {
  const std::string address(token_field.address);
  const auto& token = *state_.token;
  if (!token) {
    proposal_.notes.push_back({Note::Severity::error, address,
                               fmt::format("the token cannot be used: {}", token.error().message),
                               "put the client configuration token of your license server there"});
    return;
  }
  if (token->mode != token_mode)
    proposal_.notes.push_back(
        {Note::Severity::warning, address,
         fmt::format("{} has mode {:04o}, NVIDIA asks for {:04o}", path, token->mode, token_mode),
         fmt::format("run chmod {:04o} {}", token_mode, path)});
  if (!token->beside.empty())
    proposal_.notes.push_back({Note::Severity::warning, address,
                               fmt::format("{} has other tokens, too ({}): which one {} takes is not known",
                                           folder_of(path), join(token->beside, ", "), licence_service),
                               "give the token a folder of its own"});
}

void Comparison::look_at_licence() {
  Finding finding{.address = "license.state", .desired = "licensed"};
  const auto licensed = state_.licensed();
  if (licensed.is_unknown()) {
    finding.verdict = Verdict::unknown;
    finding.reason = licensed.reason();
  } else if (licensed && *licensed) {
    finding.observed = "licensed";
  } else {
    finding.verdict = Verdict::differs;
    finding.observed = "unlicensed";
    finding.reason = licensed.is_absent()
                         ? "NVIDIA's driver asks for no licence here: one of flavor graphics does"
                         : fmt::format("journalctl -u {} says why", licence_service);
    // With something to do for it, it may come of that.
    const bool is_up = state_.daemon && *state_.daemon && !(*state_.daemon)->is_inactive();
    if (is_up && proposal_.steps.empty())
      proposal_.notes.push_back({Note::Severity::warning, finding.address,
                                 "the host is configured as it should be, and has no licence (yet)",
                                 finding.reason});
  }
  proposal_.findings.push_back(std::move(finding));
}

/// Back to what it was, if it still is what gpuhost made it; else only the record goes.
void Comparison::give_back(const Field& field, const Ownership::Object& object) {
  const std::string address(field.address);
  if (!state_.config) {
    proposal_.notes.push_back(
        {Note::Severity::warning, address,
         "the document no longer names it, and it cannot be given back: " + state_.config.error().message,
         state_.config.error().advice});
    return;
  }
  const auto now = state_.config->value_of(field.key);
  const auto before = object.before.is_string() ? Line{object.before.get<std::string>()} : Line{};
  const bool is_ours =
      now && now == value_of(object.applied) && (!before || sets_gridd_key(*before, field.key));
  auto step = is_ours && before != line_of(field)
                  ? set_step(field, before)
                  : forget_step(License::kind_name, address, now ? Json(*now) : Json());
  step.gives_back = address;
  step.reason = ActionReason::removed_from_desired;
  proposal_.steps.push_back(std::move(step));
}

}  // namespace

Proposal License::plan_from(const LicenseState& state, const PlanInput& input) const {
  Comparison comparison(state, input);
  std::set<std::string_view> named;
  if (spec_) {
    named.insert(feature_field.address);
    if (spec_->server) named.insert(server_field.address);
    if (spec_->port) named.insert(port_field.address);
    if (spec_->token_file) named.insert(token_field.address);
    comparison.desired(*spec_);
  }
  for (const auto& [address, object] : input.owned.of(input.document)) {
    const auto field = std::ranges::find(all_fields, address, &Field::address);
    if (field != all_fields.end() && !named.contains(address)) comparison.give_back(*field, object);
  }
  return std::move(comparison).finish();
}

}  // namespace gpuhost
