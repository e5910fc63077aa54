#pragma once

#include <string>
#include <string_view>

#include "host/domains.hpp"
#include "host/sim/host_file.hpp"

namespace gpuhost {

/// As much of a domain's XML as planning needs, and nothing secret: name, UUID, who keeps the domain, and the
/// host devices that may be GPUs. Nothing of XML that cannot be read: what is recorded cannot either.
[[nodiscard]] std::string recordable_domain_xml(std::string_view xml);

/// A domain of which nothing else is recorded than that, and its states.
[[nodiscard]] HostFile::Domain recordable(const Domain& domain);

}  // namespace gpuhost
