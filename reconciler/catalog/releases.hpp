#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "catalog/boards.hpp"

namespace gpuhost::catalog {

/// Two products with vGPU drivers. They share version strings and accept different boards.
enum class Product { vgpu, nvaie };

/// A release of the vGPU software. From schema/catalog/vgpu-releases.tsv. Versions are texts, not numbers.
struct Release {
  std::string_view name;     ///< "19.5"
  std::string_view manager;  ///< version of the host's vGPU manager: "580.159.01"
  std::string_view linux_guest;
  std::string_view windows_guest;
  std::string_view date;  ///< "2026-05" or "2026-05-19"; empty: not known
  unsigned major = 0;     ///< of its branch
};

/// A major branch. From schema/catalog/vgpu-branches.tsv.
struct Branch {
  unsigned major = 0;
  std::string_view driver;  ///< "R580"
  bool long_term = false;
  std::string_view end_of_support;  ///< month, "2028-07"; empty: not known
  std::vector<unsigned> guests;     ///< branches of guest drivers that its manager accepts
};

/// A board that a product does not accept. From schema/catalog/denied-boards.tsv.
struct DeniedBoard {
  Product product = Product::vgpu;
  std::string_view board;  ///< name of a board, or a word of its product: "A100" is every A100
};

[[nodiscard]] std::span<const Release> releases();  ///< newest first
[[nodiscard]] std::span<const Branch> branches();   ///< newest first
[[nodiscard]] std::span<const DeniedBoard> denied_boards();
[[nodiscard]] const Release* find_release(std::string_view name);
[[nodiscard]] const Branch& branch_of(const Release& release);

/// The releases with this version of the manager, newest first: 17.2 and 17.3 share one.
[[nodiscard]] std::vector<const Release*> releases_of_manager(std::string_view version);
/// The releases with this version of the guests' driver, for Linux or Windows.
[[nodiscard]] std::vector<const Release*> releases_of_guest(std::string_view version);

/// Whether the manager of one release takes guests with the driver of the other: of the same branch, the
/// previous one, or, if both are LTS branches, the previous LTS branch; never of a newer one. Source: the
/// compatibility sections of NVIDIA's release notes, and NVIDIA's driver catalogue.
[[nodiscard]] bool accepts(const Release& host, const Release& guest);

/// Whether the drivers of the product leave the board out, as far as is known: the lists are those of release
/// 16.1.
[[nodiscard]] bool denies(Product product, const Board& board);
/// Whether a release is as new as the lists that `denies` rests on.
[[nodiscard]] bool has_known_boards(const Release& release);

/// Whether support of the branch had ended before the day, which is as in RFC 3339. Nothing: its end is not
/// known.
[[nodiscard]] std::optional<bool> is_past_support(const Branch& branch, std::string_view day);

}  // namespace gpuhost::catalog
