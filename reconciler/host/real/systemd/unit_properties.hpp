#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <sdbus-c++/sdbus-c++.h>

#include "host/commands.hpp"

namespace gpuhost {

/// What StartTransientUnit takes; org.freedesktop.systemd1(5).
using UnitProperty = sdbus::Struct<std::string, sdbus::Variant>;
using UnitProperties = std::vector<UnitProperty>;
using AuxiliaryUnit = sdbus::Struct<std::string, UnitProperties>;

template <class T>
[[nodiscard]] UnitProperty property(const char* name, const T& value) {
  return {name, sdbus::Variant(value)};
}

[[nodiscard]] std::uint64_t in_usec(std::chrono::seconds time);
/// The command with its arguments as they are: systemd expands nothing in them.
[[nodiscard]] UnitProperty exec_start(const Command& command);
/// What every command runs with.
[[nodiscard]] UnitProperty command_environment();

}  // namespace gpuhost
