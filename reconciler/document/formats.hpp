#pragma once

#include <string_view>

#include "document/map_reader.hpp"

/// Forms of text that several parts of a document share.
namespace gpuhost::formats {

inline constexpr std::string_view digits = "0123456789";
inline constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// Whether the text is not empty and has only letters, digits and the characters of `more`.
[[nodiscard]] bool is_word(std::string_view text, std::string_view more);
/// Whether the text is not empty and has no control character.
[[nodiscard]] bool is_printable(std::string_view text);

/// Of documents, GPUs, vGPUs, MIG instances and layouts: they become parts of paths, addresses and UUIDs.
extern const Format name;
extern const Format printable;
extern const Format pci_address;
extern const Format uuid;
extern const Format sha256;
extern const Format absolute_path;
extern const Format driver_version;
extern const Format release;
/// Of kernel parameters and module options: nothing that a shell, GRUB or modprobe interprets.
extern const Format kernel_value;

}  // namespace gpuhost::formats
