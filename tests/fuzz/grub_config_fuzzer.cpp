#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "kinds/kernel_parameters/grub_config.hpp"
#include "kinds/kernel_parameters/grub_defaults.hpp"
#include "kinds/kernel_parameters/grub_drop_in.hpp"
#include "kinds/kernel_parameters/loader_entries.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)gpuhost::parse_grub_config(text);
  (void)gpuhost::grub_command_line(std::array{std::string(text)});
  (void)gpuhost::edit_grub_defaults(text, "intel_iommu", {"on"});
  (void)gpuhost::parse_loader_entry(text, gpuhost::parse_grub_environment(text));
  (void)gpuhost::GrubDropIn::parse(text).render();
  return 0;
}
