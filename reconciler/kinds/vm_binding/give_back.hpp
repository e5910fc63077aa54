#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/kind.hpp"
#include "kinds/vm_binding/kind.hpp"

/// What an earlier version of a document set on a domain, and the document no longer names. The record is a
/// file like others: it may hold anything.
namespace gpuhost::vm_binding {

/// "NAME" and "FIELD" of an owned "vm[NAME].FIELD".
struct OwnedField {
  std::string vm;
  std::string field;  ///< devices, autostart or state
};
[[nodiscard]] std::optional<OwnedField> parse_object(std::string_view object);
/// The connection that the record names; the local system's where it names none.
[[nodiscard]] std::string connection_in(const Ownership::Object& object);

/// What gives the devices back that were there before, if those that were set are there still; nothing: they
/// are not, or it is so already.
[[nodiscard]] std::optional<Redefinition> restoration(const Guest& guest, const DeviceTable& table,
                                                      const Ownership::Object& object);

/// The step that gives the field back, or only ends its ownership where it is no longer what was set, or the
/// domain is somebody else's now. `start`: what starts the guest.
[[nodiscard]] Step step_back(const OwnedField& field, const Guest& guest, const DeviceTable& table,
                             const Ownership::Object& object, const Policy& policy, Step start);

}  // namespace gpuhost::vm_binding
