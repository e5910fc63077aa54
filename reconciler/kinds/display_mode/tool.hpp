#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/pci_address.hpp"
#include "base/result.hpp"
#include "host/commands.hpp"

namespace gpuhost {

/// What the tool says of one GPU.
struct ListedAdapter {
  std::string index;  ///< as its option -i takes it
  PciAddress address;
  std::string
      mode;  ///< as it prints it: "Graphics", "Compute (Physical display disabled)"; empty: it does not
};

/// The adapters in what the tools print for --list and --listgpumodes. A line with "S:00,B:3D,D:00,F:00"
/// begins one; "<2>" before it is its index, else they are counted. Source: gpumodeswitch user guide,
/// "Listing current GPU modes".
[[nodiscard]] std::vector<ListedAdapter> parse_adapters(std::string_view output);

/// Whether the tool's word for a mode means the one that this argument asks for.
[[nodiscard]] bool is_mode(std::string_view printed, std::string_view argument);

/// Switches one GPU for the next boot, and reads back what the board has stored. The tool has no other
/// answer: it ends with 0 also where it did nothing. busy: NVIDIA's driver is loaded.
Result<void> switch_display_mode(const std::string& tool, const std::string& argument, const PciAddress& gpu,
                                 CommandRunner& commands);

}  // namespace gpuhost
