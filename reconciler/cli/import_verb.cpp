#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/target.hpp"
#include "cli/trusted_file.hpp"
#include "cli/verbs.hpp"
#include "document/yaml.hpp"
#include "kinds/registry.hpp"
#include "peers/peers.hpp"

namespace gpuhost {

namespace {

struct Peer {
  std::string_view name;
  std::optional<Imported> (*import)(const PeerFiles& files);
};

constexpr auto peers = std::to_array<Peer>({{"mig-parted", import_mig_parted},
                                            {"vgpu-device-manager", import_vgpu_device_manager},
                                            {"mdevctl", import_mdevctl},
                                            {"driverctl", import_driverctl},
                                            {"nova", import_nova}});

ExitCode unknown_peer(const std::string& wanted) {
  std::vector<std::string> names;
  for (const auto& peer : peers) names.emplace_back(peer.name);
  const auto near = suggest(wanted, names);
  return report({ErrorKind::invalid, fmt::format("nothing is imported from '{}'", wanted),
                 near ? fmt::format("did you mean '{}'?", *near) : "one of: " + join(names, ", ")},
                ExitCode::usage);
}

OrExit<void> read_files(const Options& options, Diagnostics& diagnostics) {
  for (const auto& path : options.peer_files) {
    auto text = read_file(path, YamlLimits{}.bytes);
    if (!text) return std::unexpected(report(text.error(), ExitCode::invalid_document));
    diagnostics.add_source({path, std::move(*text)});
  }
  return {};
}

/// Whether the document holds to the contract; what a peer accepts may be nothing that a GPU can be.
bool valid(const std::string& document) {
  Diagnostics diagnostics;
  diagnostics.add_source({"the document", document});
  if (decode_document(diagnostics)) return true;
  print_error(diagnostics.render());
  return false;
}

}  // namespace

ExitCode run_import(const Options& options) {
  const auto peer = std::ranges::find(peers, options.argument, &Peer::name);
  if (peer == peers.end()) return unknown_peer(options.argument);
  Diagnostics diagnostics;
  if (const auto read = read_files(options, diagnostics); !read) return read.error();
  const auto target = Target::open(options);
  if (!target) return target.error();
  const auto view = target->view();
  const auto imported = peer->import({diagnostics, options.configuration, view, inventory_of(view)});
  if (!imported) {
    print_error(diagnostics.render());
    return ExitCode::invalid_document;
  }
  const auto document = emit_yaml(imported->document);
  if (!valid(document)) return ExitCode::invalid_document;
  for (const auto& left : imported->left_out) log_warning("left out: " + left);
  print(document);
  return ExitCode::done;
}

}  // namespace gpuhost
