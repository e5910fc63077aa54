#include "host/sim/sim_licences.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "host/sim/sim_files.hpp"

namespace gpuhost {

namespace {

/// Of KEY=VALUE lines; empty: none sets it.
std::string_view value_in(std::string_view config, std::string_view key) {
  for (const auto line : lines(config)) {
    const auto equals = line.find('=');
    if (equals != std::string_view::npos && trim(line.substr(0, equals)) == key)
      return trim(line.substr(equals + 1));
  }
  return {};
}

}  // namespace

/// Source: NVIDIA Virtual GPU Client Licensing User Guide, "Configuring a Licensed Client on Linux": a server
/// by its address, or a token in the folder that ClientConfigTokenPath names. FeatureType 2 is RTX vWS.
void take_licences(HostFile& host) {
  const SimFiles files(host.files);
  const auto config = files.text("/etc/nvidia/gridd.conf").value_or("");
  std::string folder(value_in(config, "ClientConfigTokenPath"));
  if (folder.empty()) folder = "/etc/nvidia/ClientConfigToken";
  const auto is_token = [](const std::string& name) { return name.ends_with(".tok"); };
  const bool served =
      !value_in(config, "ServerAddress").empty() || std::ranges::any_of(files.names(folder), is_token);
  for (auto& [address, gpu] : host.machine.gpus)
    gpu.licensed = served && value_in(config, "FeatureType") == "2";
}

}  // namespace gpuhost
