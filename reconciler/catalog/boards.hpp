#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gpuhost::catalog {

/// Of chips, the oldest first.
enum class Architecture { maxwell, pascal, volta, turing, ampere, ada, hopper, blackwell };

/// A board NVIDIA has sold. From schema/catalog/boards.tsv, which names its public sources.
struct Board {
  std::string_view name;     ///< as in names of vGPU types: "A100", "M60", "RTX6000"
  std::string_view product;  ///< "Tesla M60"
  std::uint16_t device_id = 0;
  std::optional<std::uint16_t> subsystem_device_id;  ///< where boards share a device id
  unsigned gpus_per_board = 1;
  unsigned framebuffer_gb = 0;  ///< of one GPU
  bool sriov = false;
  bool mixed_sizes = false;  ///< mixed-size mode is known to work
  Architecture architecture = Architecture::maxwell;
  bool ecc_with_vgpus = true;  ///< error correction of its memory may be on while it has vGPUs
  /// What switches its display modes: a tool of display_modes.hpp, or "no"; empty: not known whether it has
  /// any.
  std::string_view display_tool;
};

/// A vGPU type of a board. From schema/catalog/vgpu-types.tsv. Numeric ids are not stable over releases and
/// only serve the simulator.
struct VgpuType {
  std::string_view board;
  std::string_view name;  ///< "GRID A100-4C"
  char series = 'Q';      ///< Q, C, B, A
  std::optional<unsigned> framebuffer_mb;
  std::optional<unsigned> max;        ///< on one GPU, equal sizes
  std::optional<unsigned> max_mixed;  ///< on one GPU, mixed sizes
  std::optional<unsigned> id;
  std::optional<unsigned> heads;
  std::string_view resolution;    ///< "5120x2880"; may be empty
  std::string_view gpu_instance;  ///< MIG profile; empty: time-sliced
};

[[nodiscard]] std::span<const Board> boards();
/// The board with these PCI ids; one with the subsystem goes before one without.
[[nodiscard]] const Board* board_of(std::uint16_t device_id, std::uint16_t subsystem_device_id);
/// Boards that a model of a document means: its name or product, letters in either case; else those in whose
/// product all its words are, with '-' as a blank and whether NVIDIA's name is said or not.
[[nodiscard]] std::vector<const Board*> boards_named(std::string_view model);

/// Whether vGPUs on virtual functions are made by the vendor-specific VFIO framework under a kernel of this
/// release ("6.8.0-45-generic"), and not as mediated devices: from Linux 6.8 on. Source: NVIDIA Virtual GPU
/// Software User Guide, "Creating an NVIDIA vGPU on a Linux with KVM Hypervisor".
[[nodiscard]] bool has_vendor_functions(std::string_view kernel_release);

[[nodiscard]] std::span<const VgpuType> types_of(const Board& board);
/// Whether two names mean one type: the last blank-separated word counts.
[[nodiscard]] bool same_type(std::string_view a, std::string_view b);
[[nodiscard]] const VgpuType* find_type(const Board& board, std::string_view name);
/// Of whatever board: the last word of a type names the board.
[[nodiscard]] const VgpuType* find_type(std::string_view name);

}  // namespace gpuhost::catalog
