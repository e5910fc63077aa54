#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/pci_address.hpp"
#include "base/result.hpp"
#include "base/uuid.hpp"

namespace gpuhost {

/// A host device of a domain that may be a GPU or a part of one: <hostdev mode='subsystem'> of type pci or
/// mdev. Source: https://libvirt.org/formatdomain.html, "Host device assignment".
struct HostDevice {
  std::variant<PciAddress, Uuid> device;
  bool managed = false;  ///< libvirt binds it to vfio-pci and back by itself; PCI only
  std::string element;   ///< the whole element as it stands in the XML
  [[nodiscard]] bool is_pci() const { return std::holds_alternative<PciAddress>(device); }
};

/// Who keeps the domain, if it is not libvirt's user: such a domain is never changed and never stopped.
enum class DomainKeeper { none, nova, kubevirt };

/// What gpuhost reads of a domain's XML.
struct DomainXml {
  std::string name;
  std::vector<HostDevice> host_devices;  ///< in the order of the XML; others than pci and mdev are left out
  DomainKeeper keeper = DomainKeeper::none;
};

/// invalid: it is no domain's XML.
[[nodiscard]] Result<DomainXml> read_domain_xml(std::string_view xml);

/// The same text with the elements of the devices in `removed` taken out, those in `unmanaged` set to
/// managed='no', and `added` put at the end of <devices>. All else stays byte for byte, whatever it is.
/// invalid: it is no domain's XML.
[[nodiscard]] Result<std::string> with_host_devices(
    std::string_view xml, const std::vector<std::variant<PciAddress, Uuid>>& removed,
    const std::vector<std::variant<PciAddress, Uuid>>& unmanaged, const std::vector<std::string>& added);

/// The element for a device that gpuhost gives to a guest, one line each, without trailing newline.
[[nodiscard]] std::string pci_host_device_element(const PciAddress& address);
[[nodiscard]] std::string mdev_host_device_element(const Uuid& uuid);

}  // namespace gpuhost
