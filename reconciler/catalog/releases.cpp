#include "catalog/releases.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "catalog/tables.hpp"

namespace gpuhost::catalog {

namespace {

template <class Matches>
std::vector<const Release*> releases_that(Matches matches) {
  std::vector<const Release*> found;
  for (const auto& release : releases())
    if (matches(release)) found.push_back(&release);
  return found;
}

}  // namespace

std::span<const Release> releases() {
  static const auto releases = parse_releases(vgpu_releases_table).value_or(std::vector<Release>{});
  return releases;
}

std::span<const Branch> branches() {
  static const auto branches = parse_branches(vgpu_branches_table).value_or(std::vector<Branch>{});
  return branches;
}

std::span<const DeniedBoard> denied_boards() {
  static const auto denied = parse_denied_boards(denied_boards_table).value_or(std::vector<DeniedBoard>{});
  return denied;
}

const Release* find_release(std::string_view name) {
  const auto found = std::ranges::find(releases(), name, &Release::name);
  return found == releases().end() ? nullptr : &*found;
}

const Branch& branch_of(const Release& release) {
  // That every release has its branch is a test of the tables.
  return *std::ranges::find(branches(), release.major, &Branch::major);
}

std::vector<const Release*> releases_of_manager(std::string_view version) {
  return releases_that([&](const Release& release) { return release.manager == version; });
}

std::vector<const Release*> releases_of_guest(std::string_view version) {
  return releases_that([&](const Release& release) {
    return release.linux_guest == version || release.windows_guest == version;
  });
}

bool accepts(const Release& host, const Release& guest) {
  const auto& guests = branch_of(host).guests;
  return std::ranges::find(guests, guest.major) != guests.end();
}

bool denies(Product product, const Board& board) {
  const auto product_words = words(board.product);
  return std::ranges::any_of(denied_boards(), [&](const DeniedBoard& denied) {
    return denied.product == product &&
           (denied.board == board.name ||
            std::ranges::find(product_words, denied.board) != product_words.end());
  });
}

bool has_known_boards(const Release& release) {
  const auto* first = find_release("16.1");
  return first != nullptr && &release <= first;
}

std::optional<bool> is_past_support(const Branch& branch, std::string_view day) {
  if (branch.end_of_support.empty()) return std::nullopt;
  return day.substr(0, branch.end_of_support.size()) > branch.end_of_support;
}

}  // namespace gpuhost::catalog
