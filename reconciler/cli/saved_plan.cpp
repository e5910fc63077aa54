#include "cli/saved_plan.hpp"

#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>
#include <sys/random.h>

#include "base/text.hpp"
#include "cli/trusted_file.hpp"
#include "host/state_record.hpp"
#include "render/json_text.hpp"
#include "render/plan.hpp"

namespace gpuhost {

namespace {

constexpr int format_version = 1;
constexpr std::size_t size_limit = std::size_t{64} << 20U;
constexpr std::size_t differences_shown = 10;
/// Of the last plans; one that is older than all of them is stale for other reasons.
constexpr std::size_t uses_remembered = 4096;

constexpr StateRecord used_plans{"/var/lib/gpuhost/used-plans.json",
                                 "remove it, if no plan saved before today is to be applied"};

Result<std::string> fresh_nonce() {
  std::array<unsigned char, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    return fail(ErrorKind::io, "cannot get random bytes for the plan");
  return fmt::format("{:02x}", fmt::join(bytes, ""));
}

/// Throws what Json throws for a value of another type.
SavedPlan saved_plan_from(const Json& json) {
  SavedPlan saved{.created = json.at("created"),
                  .nonce = json.at("nonce"),
                  .skip_missing = json.at("skip_missing"),
                  .documents = {},
                  .plan = json.at("plan")};
  for (const auto& document : json.at("documents"))
    saved.documents.push_back({document.at("name"), document.at("text")});
  (void)saved.plan.at("plan_id").get_ref<const std::string&>();
  (void)saved.plan.at("host").at("id").get_ref<const std::string&>();
  return saved;
}

Result<SavedPlan> parse_saved_plan(const std::string& path, const std::string& text) {
  const auto json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto version = json.is_object() ? json.find("format_version") : json.end();
  if (!json.is_object() || json.value("kind", Json()) != "SavedPlan" || version == json.end() ||
      !version->is_number_integer())
    return fail(ErrorKind::invalid, fmt::format("cannot use {}: it is no saved plan", path),
                "give one that 'gpuhost plan --out' has written, or a document with -f");
  if (*version > format_version)
    return fail(ErrorKind::stale, fmt::format("{} was written by a newer gpuhost", path),
                "use the newer gpuhost");
  try {
    return saved_plan_from(json);
  } catch (const Json::exception&) {
    return fail(ErrorKind::invalid, fmt::format("cannot use {}: the saved plan is damaged", path),
                "plan again");
  }
}

/// What a plan does, by how it is listed: "gpu[left].vgpu[a] (create)". Numbers of steps do not count.
std::map<std::string, std::string> changes_of(const Json& plan) {
  std::map<std::string, std::string> changes;
  for (auto change : plan.value("changes", Json::array())) {
    change.erase("id");
    change.erase("requires");
    std::vector<std::string> actions;
    for (const auto& action : change.value("actions", Json::array()))
      actions.push_back(action.get<std::string>());
    changes[fmt::format("{} ({})", change.value("address", ""), join(actions, ", "))] = json_line(change);
  }
  return changes;
}

std::string differences(const Json& then, const Json& now) {
  const auto before = changes_of(then);
  const auto after = changes_of(now);
  std::vector<std::string> said;
  for (const auto& [what, change] : before)
    if (!after.contains(what)) said.push_back("no longer: " + what);
  for (const auto& [what, change] : after) {
    const auto found = before.find(what);
    if (found == before.end())
      said.push_back("new: " + what);
    else if (found->second != change)
      said.push_back("otherwise: " + what);
  }
  if (said.empty()) return "what it does is the same, what it was made from is not";
  const auto more = said.size() > differences_shown ? said.size() - differences_shown : 0;
  said.resize(said.size() - more);
  return join(said, "; ") + (more > 0 ? fmt::format("; and {} more", more) : "");
}

}  // namespace

OrExit<void> save_plan(const std::string& path, const Plan& plan, const Diagnostics& documents,
                       bool skip_missing, const Clock& clock) {
  const auto nonce = fresh_nonce();
  if (!nonce) return std::unexpected(report(nonce.error()));
  Json sources = Json::array();
  for (std::uint32_t i = 0; i < documents.source_count(); ++i)
    sources.push_back({{"name", documents.source(i).name}, {"text", documents.source(i).text}});
  const Json saved{{"kind", "SavedPlan"},          {"format_version", format_version},
                   {"created", clock.utc_now()},   {"nonce", *nonce},
                   {"skip_missing", skip_missing}, {"documents", std::move(sources)},
                   {"plan", plan_json(plan)}};
  if (const auto written = write_private_file(path, json_text(saved)); !written)
    return std::unexpected(report(written.error()));
  return {};
}

OrExit<SavedPlan> load_saved_plan(const std::string& path, bool trusted) {
  const auto text = trusted ? read_trusted_file(path, size_limit) : read_file(path, size_limit);
  if (!text)
    return std::unexpected(report(text.error(), text.error().kind == ErrorKind::denied
                                                    ? ExitCode::denied
                                                    : ExitCode::invalid_document));
  auto saved = parse_saved_plan(path, *text);
  if (!saved)
    return std::unexpected(report(saved.error(), saved.error().kind == ErrorKind::stale
                                                     ? ExitCode::refused
                                                     : ExitCode::invalid_document));
  return std::move(*saved);
}

Result<void> check_same_plan(const SavedPlan& saved, const Plan& now) {
  const auto plan = plan_json(now);
  if (plan["plan_id"] == saved.plan["plan_id"]) return {};
  if (plan["host"]["id"] != saved.plan["host"]["id"])
    return fail(
        ErrorKind::stale,
        fmt::format("the plan was made for the host with id '{}', this one has '{}'",
                    saved.plan["host"]["id"].get<std::string>(), plan["host"]["id"].get<std::string>()),
        "plan on this host");
  return fail(ErrorKind::stale,
              fmt::format("the plan of {} is not what would be done now: {}", saved.created,
                          differences(saved.plan, plan)),
              "plan again, and look at it again");
}

Result<void> mark_used(const SavedPlan& saved, Host& host) {
  auto known = used_plans.read(host.view.files);
  if (!known) return std::unexpected(known.error());
  auto plans = known->is_null() ? Json::array() : known->value("plans", Json::array());
  const auto use = std::find_if(plans.begin(), plans.end(), [&](const Json& plan) {
    return plan.is_object() && plan.value("nonce", "") == saved.nonce;
  });
  if (use != plans.end())
    return fail(ErrorKind::stale, fmt::format("the plan was used already, at {}", use->value("used", "?")),
                "plan again");
  while (plans.size() >= uses_remembered) plans.erase(plans.begin());
  plans.push_back(
      {{"nonce", saved.nonce}, {"plan_id", saved.plan["plan_id"]}, {"used", host.view.clock.utc_now()}});
  return used_plans.write(host.view.files, host.files, {{"plans", std::move(plans)}}, 0600);
}

}  // namespace gpuhost
