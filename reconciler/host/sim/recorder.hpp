#pragma once

#include <functional>
#include <string>

#include "host/host.hpp"
#include "host/sim/host_file.hpp"

namespace gpuhost {

/// Records a host while `look` observes it: everything that planning asks through the view it is given, with
/// the answers, errors included, and gpuhost's own records. Nothing secret: values of kernel command line
/// keys that are not on the list of known harmless ones are replaced by "<masked>", and of libvirt's domains
/// only what recordable_domain_xml() lets through is kept.
[[nodiscard]] HostFile record_host(const HostView& host, const std::function<void(const HostView&)>& look);

}  // namespace gpuhost
