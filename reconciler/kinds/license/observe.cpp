#include <algorithm>

#include <fmt/format.h>

#include "kinds/license/kind.hpp"
#include "kinds/observed_json.hpp"

namespace gpuhost {

namespace {

bool is_token(std::string_view name) {
  return name.ends_with(".tok");
}

Result<LicenseToken> look_at_token(const FileReader& files, const std::string& path) {
  const auto status = files.status(path);
  if (!status) return std::unexpected(status.error());
  if (status->type != FileStatus::Type::regular)
    return fail(ErrorKind::invalid, fmt::format("{} is no regular file", path));
  const auto digest = files.digest(path);
  if (!digest) return std::unexpected(digest.error());
  const auto slash = path.rfind('/');
  const auto names = files.list(path.substr(0, std::max<std::size_t>(slash, 1)));
  if (!names) return std::unexpected(names.error());
  LicenseToken token{.mode = status->mode, .sha256 = *digest, .beside = {}};
  for (const auto& name : *names)
    if (is_token(name) && name != path.substr(slash + 1)) token.beside.push_back(name);
  return token;
}

Json state_json(const Observed<bool>& licensed) {
  if (licensed.is_unknown()) return {{"unknown", licensed.reason()}};
  return licensed && *licensed ? "licensed" : "unlicensed";
}

}  // namespace

std::unique_ptr<Kind> make_license(std::optional<LicenseSpec> spec) {
  return std::make_unique<License>(std::move(spec));
}

LicenseState License::look(const HostView& host) const {
  LicenseState state{.running = host.running,
                     .config = GriddConfig::read(host.files),
                     .daemon = {},
                     .token = {},
                     .inventory = {},
                     .reports = {}};
  if (spec_ && spec_->token_file) state.token = look_at_token(host.files, *spec_->token_file);
  if (!host.running) return state;
  state.daemon = host.units.state(licence_service);
  state.inventory = inventory_of(host);
  if (*state.inventory && !(**state.inventory).gpus.empty()) state.reports = gpu_reports_of(host);
  return state;
}

/// One GPU without its licence is enough to say no, one that cannot be told to say nothing.
Observed<bool> LicenseState::licensed() const {
  using Seen = Observed<bool>;
  if (inventory == nullptr) return Seen::unknown("no driver runs under --root");
  if (!*inventory) return Seen::unknown(inventory->error().sentence());
  if (reports == nullptr) return Seen::unknown("there is no GPU that could have a licence");
  if (!*reports) return Seen::unknown(reports->error().sentence());
  auto all = Seen::absent();
  for (const auto& [address, report] : **reports) {
    const auto& one = report.workstation_licensed;
    if (one && !*one) return one;
    if (one.is_unknown() || all.is_absent()) all = one;
  }
  return all;
}

Json LicenseState::describe() const {
  Json shown = Json::object();
  for (const auto key : config ? gridd_keys : decltype(gridd_keys){})
    if (const auto value = config->value_of(key)) shown[std::string(key)] = *value;
  if (!config) shown["configuration"] = unknown_json(config.error());
  if (daemon && *daemon && (*daemon)->load_state == "not-found") return shown;
  if (daemon) shown["daemon"] = *daemon ? Json((*daemon)->active_state) : unknown_json(daemon->error());
  if (running) shown["state"] = state_json(licensed());
  return shown;
}

}  // namespace gpuhost
