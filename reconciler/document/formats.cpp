#include "document/formats.hpp"

#include <algorithm>

#include "base/pci_address.hpp"
#include "base/text.hpp"
#include "base/uuid.hpp"

namespace gpuhost::formats {

namespace {

constexpr std::size_t longest_name = 253;
constexpr std::size_t longest_path = 4095;  // PATH_MAX without the terminator

bool is_name(std::string_view text) {
  return text.size() <= longest_name && is_word(text, "._-") &&
         text.find_first_not_of('.') != std::string_view::npos;
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

bool is_absolute_path(std::string_view text) {
  if (!text.starts_with('/') || text.ends_with('/') || text.size() > longest_path || !is_printable(text))
    return false;
  return std::ranges::none_of(split(text.substr(1), '/'),
                              [](auto part) { return part.empty() || part == "." || part == ".."; });
}

/// Between `least` and `most` numbers with dots between them.
bool is_dotted(std::string_view text, std::size_t least, std::size_t most) {
  const auto numbers = split(text, '.');
  return numbers.size() >= least && numbers.size() <= most && std::ranges::all_of(numbers, [](auto number) {
           return !number.empty() && number.size() <= 5 &&
                  number.find_first_not_of(digits) == std::string_view::npos;
         });
}

}  // namespace

bool is_word(std::string_view text, std::string_view more) {
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return letters.find(c) != std::string_view::npos || digits.find(c) != std::string_view::npos ||
           more.find(c) != std::string_view::npos;
  });
}

bool is_printable(std::string_view text) {
  return !text.empty() &&
         std::ranges::none_of(text, [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; });
}

const Format name{"a name", "use letters, digits, '.', '_' and '-', at most 253", is_name};
const Format printable{"text on one line", "remove the control characters", is_printable};
const Format pci_address{"a PCI address", "write it as 0000:41:00.0",
                         [](std::string_view text) { return PciAddress::parse(text).has_value(); }};
const Format uuid{"a UUID", "write it as 8-4-4-4-12 hexadecimal digits",
                  [](std::string_view text) { return Uuid::parse(text).has_value(); }};
const Format sha256{"a SHA-256", "write the 64 hexadecimal digits that sha256sum prints", is_sha256};
const Format absolute_path{"an absolute path", "begin it with '/', without '.', '..' or '//'",
                           is_absolute_path};
const Format driver_version{"a driver version", "write it as 580.159.01",
                            [](std::string_view text) { return is_dotted(text, 2, 3); }};
const Format release{"a vGPU software release", "write it as \"19.5\"",
                     [](std::string_view text) { return is_dotted(text, 2, 2); }};
const Format kernel_value{"a value that can be passed on safely",
                          "use letters, digits and _ - . , : = / + @ % only",
                          [](std::string_view text) { return is_word(text, "_-.,:=/+@%"); }};

}  // namespace gpuhost::formats
