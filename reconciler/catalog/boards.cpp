#include "catalog/boards.hpp"

#include <algorithm>
#include <set>
#include <string>

#include "base/text.hpp"
#include "catalog/tables.hpp"

namespace gpuhost::catalog {

namespace {

// A table that cannot be read is empty here; the tests say where it is wrong.

std::span<const VgpuType> all_types() {
  static const auto types = parse_vgpu_types(vgpu_types_table).value_or(std::vector<VgpuType>{});
  return types;
}

bool equal_in_either_case(std::string_view a, std::string_view b) {
  return lower_case(a) == lower_case(b);
}

/// "NVIDIA A100-PCIE-40GB" in "a100", "pcie", "40gb".
std::set<std::string> model_words(std::string_view text) {
  auto plain = lower_case(text);
  std::ranges::replace(plain, '-', ' ');
  std::set<std::string> found;
  for (const auto word : words(plain))
    if (word != "nvidia") found.emplace(word);
  return found;
}

std::string_view last_word(std::string_view text) {
  text = trim(text);
  const auto blank = text.find_last_of(" \t");
  return blank == std::string_view::npos ? text : text.substr(blank + 1);
}

}  // namespace

std::span<const Board> boards() {
  static const auto boards = parse_boards(boards_table).value_or(std::vector<Board>{});
  return boards;
}

const Board* board_of(std::uint16_t device_id, std::uint16_t subsystem_device_id) {
  const Board* any_subsystem = nullptr;
  for (const auto& board : boards()) {
    if (board.device_id != device_id) continue;
    if (board.subsystem_device_id == subsystem_device_id) return &board;
    if (!board.subsystem_device_id) any_subsystem = &board;
  }
  return any_subsystem;
}

std::vector<const Board*> boards_named(std::string_view model) {
  std::vector<const Board*> named;
  for (const auto& board : boards())
    if (equal_in_either_case(board.name, model) || equal_in_either_case(board.product, model))
      named.push_back(&board);
  const auto asked = model_words(model);
  if (!named.empty() || asked.empty()) return named;
  for (const auto& board : boards())
    if (std::ranges::includes(model_words(board.product), asked)) named.push_back(&board);
  return named;
}

bool has_vendor_functions(std::string_view kernel_release) {
  const auto parts = split(kernel_release, '.');
  if (parts.size() < 2) return false;
  const auto major = parse_unsigned(parts[0]).value_or(0);
  return major > 6 || (major == 6 && parse_unsigned(parts[1]).value_or(0) >= 8);
}

std::span<const VgpuType> types_of(const Board& board) {
  return run_of(all_types(), board.name, &VgpuType::board);
}

bool same_type(std::string_view a, std::string_view b) {
  return last_word(a) == last_word(b);
}

const VgpuType* find_type(const Board& board, std::string_view name) {
  const auto types = types_of(board);
  const auto found =
      std::ranges::find_if(types, [&](const auto& type) { return same_type(type.name, name); });
  return found == types.end() ? nullptr : &*found;
}

const VgpuType* find_type(std::string_view name) {
  for (const auto& board : boards())
    if (const auto* type = find_type(board, name)) return type;
  return nullptr;
}

}  // namespace gpuhost::catalog
