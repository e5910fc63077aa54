#include "kinds/virtualization/processor.hpp"

#include "base/text.hpp"

namespace gpuhost {

Processor parse_cpuinfo(std::string_view text) {
  Processor found;
  for (const auto line : lines(text)) {
    if (trim(line).empty()) break;  // a blank line ends the first processor
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const auto key = trim(line.substr(0, colon));
    const auto value = trim(line.substr(colon + 1));
    if (key == "vendor_id") found.vendor = value;
    if (key == "model name") found.model = value;
    if (key != "flags") continue;
    found.lists_flags = true;
    for (const auto flag : words(value)) {
      if (flag == "vmx") found.extension = Processor::Extension::intel_vt_x;
      if (flag == "svm") found.extension = Processor::Extension::amd_v;
      if (flag == "hypervisor") found.under_hypervisor = true;
    }
  }
  return found;
}

}  // namespace gpuhost
