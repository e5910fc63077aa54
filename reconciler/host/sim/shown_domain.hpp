#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "host/domains.hpp"
#include "host/sim/host_file.hpp"

namespace gpuhost {

/// The UUID that a domain's XML gives, in lower case.
[[nodiscard]] std::optional<std::string> uuid_in(std::string_view xml);

/// That of a domain; one whose XML gives none has one all the same, as libvirt makes it up.
[[nodiscard]] std::string uuid_of_domain(std::string_view name, std::string_view xml);

/// A domain as libvirt shows it to readers: its XML has a UUID, and "*****" in place of a password.
[[nodiscard]] Domain shown_domain(const std::string& name, const HostFile::Domain& domain);

/// XML as libvirt shows it to those who may write.
[[nodiscard]] std::string with_uuid(std::string xml, std::string_view name);

}  // namespace gpuhost
