#pragma once

#include <string>
#include <vector>

#include "engine/step.hpp"
#include "kinds/kernel_modules/kind.hpp"

namespace gpuhost {

/// What a step's action says it does.
namespace module_verb {
inline constexpr const char* configure = "configure";  ///< the module's lines in gpuhost's modprobe.d file
inline constexpr const char* load_at_boot = "load_at_boot";  ///< its line in gpuhost's modules-load.d file
inline constexpr const char* load = "load";
inline constexpr const char* unload = "unload";
/// What undoes unload: the block that the same run has written stands yet, and shall not be in its way.
inline constexpr const char* load_again = "load_again";
inline constexpr const char* give_back = "give_back";  ///< all its lines in both files go
inline constexpr const char* restore = "restore";      ///< all its lines in both files are as they were
inline constexpr const char* refresh = "refresh";      ///< the initramfs
}  // namespace module_verb

[[nodiscard]] std::string module_address(const std::string& module);

/// Facts of one plan: the module's lines are in gpuhost's file, and will hold at the next boot.
[[nodiscard]] Fact configured_fact(const std::string& module);
[[nodiscard]] Fact loaded_fact(const std::string& module);
[[nodiscard]] Fact unloaded_fact(const std::string& module);

[[nodiscard]] Step configure_step(const std::string& module, const OwnModprobeFile::Entry& before,
                                  const OwnModprobeFile::Entry& after);
[[nodiscard]] Step load_at_boot_step(const std::string& module, bool listed);
[[nodiscard]] Step load_step(const std::string& module);
[[nodiscard]] Step unload_step(const std::string& module);
[[nodiscard]] Step give_back_step(const std::string& module, const OwnModprobeFile::Entry& configured,
                                  bool listed);
[[nodiscard]] Step refresh_step(const Initramfs& initramfs, std::vector<Fact> after);

[[nodiscard]] OwnModprobeFile::Entry entry_from(const Json& arguments);

}  // namespace gpuhost
