#include "cli/exported_license.hpp"

#include <string>
#include <vector>

#include "base/text.hpp"
#include "document/yaml.hpp"
#include "kinds/license/decode.hpp"
#include "kinds/license/gridd_config.hpp"

namespace gpuhost {

namespace {

/// The one token in the folder where the daemon looks.
std::optional<std::string> token_in(const GriddConfig& config, const FileReader& files) {
  const auto folder = config.value_of(gridd_key::token_folder).value_or(default_token_folder);
  auto names = files.list(folder).value_or(std::vector<std::string>{});
  std::erase_if(names, [](const std::string& name) { return !name.ends_with(".tok"); });
  if (names.size() != 1) return std::nullopt;
  auto path = folder + "/" + names.front();
  return formats::license_token.accepts(path) ? std::optional(std::move(path)) : std::nullopt;
}

}  // namespace

std::optional<LicenseSpec> license_candidate(const HostView& host) {
  const auto daemon = host.units.state(licence_service);
  const auto config = GriddConfig::read(host.files);
  if (!daemon || daemon->load_state == "not-found" || !config) return std::nullopt;
  if (config->value_of(gridd_key::feature) != workstation_feature_type) return std::nullopt;
  LicenseSpec spec{
      .server = {}, .port = {}, .feature = workstation_feature, .token_file = token_in(*config, host.files)};
  if (const auto server = config->value_of(gridd_key::server);
      server && formats::license_server.accepts(*server)) {
    spec.server = server;
    const auto port = parse_unsigned(config->value_of(gridd_key::port).value_or(""));
    if (port && *port >= 1 && *port <= highest_port) spec.port = static_cast<unsigned>(*port);
  }
  return spec.server || spec.token_file ? std::optional(std::move(spec)) : std::nullopt;
}

Node license_node(const std::optional<LicenseSpec>& candidate, const ExportFacts& facts) {
  Node license = mapping_node();
  const bool has_server = candidate && candidate->server && facts.in_sync("license.server");
  const bool has_token = candidate && candidate->token_file && facts.in_sync("license.tokenFile");
  if (!facts.in_sync("license.feature") || (!has_server && !has_token)) return license;
  add_entry(license, "feature", text_node(candidate->feature));
  if (has_server) add_entry(license, "server", text_node(*candidate->server));
  if (has_server && candidate->port && facts.in_sync("license.port"))
    add_entry(license, "port", plain_node(std::to_string(*candidate->port)));
  if (has_token) add_entry(license, "tokenFile", text_node(*candidate->token_file));
  return license;
}

}  // namespace gpuhost
