#include "catalog/tables.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <optional>
#include <span>
#include <system_error>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"

namespace gpuhost::catalog {

namespace {

/// The whole text must be the number.
template <class Number>
std::optional<Number> parse_number(std::string_view text, int base) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// The fields of one row, in the order of `columns`. Remembers the first field that it could not read.
class Row {
 public:
  Row(std::span<const std::string_view> columns, std::string_view line) : columns_(columns), rest_(line) {}

  [[nodiscard]] std::string_view optional_text() {
    const auto field = next();
    return field == "-" ? std::string_view() : field;
  }

  [[nodiscard]] std::string_view text() {
    const auto field = optional_text();
    require(!field.empty());
    return field;
  }

  template <class Number>
  [[nodiscard]] std::optional<Number> optional_number(int base = 10) {
    const auto field = optional_text();
    if (field.empty()) return std::nullopt;
    const auto number = parse_number<Number>(field, base);
    require(number.has_value());
    return number;
  }

  template <class Number>
  [[nodiscard]] Number number(int base = 10) {
    const auto number = optional_number<Number>(base);
    require(number.has_value());
    return number.value_or(Number{});
  }

  [[nodiscard]] char one_of(std::string_view letters) {
    const auto field = text();
    require(field.size() == 1 && letters.contains(field[0]));
    return field.empty() ? '\0' : field[0];
  }

  /// Separated by commas.
  [[nodiscard]] std::vector<unsigned> optional_numbers() {
    std::vector<unsigned> numbers;
    const auto field = optional_text();
    if (field.empty()) return numbers;
    for (const auto part : split(field, ',')) {
      const auto number = parse_number<unsigned>(part, 10);
      require(number.has_value());
      numbers.push_back(number.value_or(0));
    }
    return numbers;
  }

  template <class Value, std::size_t Words>
  [[nodiscard]] Value one_of(const std::array<std::pair<std::string_view, Value>, Words>& words) {
    return find_in(words, next()).value_or(Value{});
  }

  template <class Value, std::size_t Words>
  [[nodiscard]] std::optional<Value> optional_one_of(
      const std::array<std::pair<std::string_view, Value>, Words>& words) {
    const auto field = optional_text();
    return field.empty() ? std::nullopt : find_in(words, field);
  }

  [[nodiscard]] bool yes_or_no() {
    const auto field = text();
    require(field == "yes" || field == "no");
    return field == "yes";
  }

  /// The column of the first field that is missing or wrong; the last column if there are more fields than
  /// columns; empty if the row is sound.
  [[nodiscard]] std::string_view problem() const {
    if (!problem_.empty()) return problem_;
    return exhausted_ && read_ == columns_.size() ? std::string_view() : columns_.back();
  }

 private:
  std::string_view next() {
    if (exhausted_) {
      ++read_;
      return {};
    }
    const auto end = rest_.find('\t');
    const auto field = rest_.substr(0, end);
    exhausted_ = end == std::string_view::npos;
    if (!exhausted_) rest_.remove_prefix(end + 1);
    ++read_;
    return field;
  }

  /// About the field that was read last.
  template <class Value, std::size_t Words>
  [[nodiscard]] std::optional<Value> find_in(
      const std::array<std::pair<std::string_view, Value>, Words>& words, std::string_view field) {
    const auto found = std::ranges::find(words, field, &std::pair<std::string_view, Value>::first);
    require(found != words.end());
    return found == words.end() ? std::nullopt : std::optional(found->second);
  }

  void require(bool sound) {
    if (!sound && problem_.empty()) problem_ = columns_[std::min(read_, columns_.size()) - 1];
  }

  std::span<const std::string_view> columns_;
  std::string_view rest_;
  std::string_view problem_;
  std::size_t read_ = 0;
  bool exhausted_ = false;
};

/// Calls `read_row` for each row; what it returns makes the table.
template <class Value, std::size_t Columns>
Result<std::vector<Value>> parse(std::string_view table, const std::array<std::string_view, Columns>& columns,
                                 Value (*read_row)(Row&)) {
  std::vector<Value> values;
  values.reserve(static_cast<std::size_t>(std::ranges::count(table, '\n')));
  bool headed = false;
  for (std::size_t number = 1; !table.empty(); ++number) {
    const auto end = table.find('\n');
    const auto line = table.substr(0, end);
    table.remove_prefix(end == std::string_view::npos ? table.size() : end + 1);
    if (line.starts_with('#')) continue;
    Row row(columns, line);
    if (!headed) {
      headed = true;
      for (const auto column : columns)
        if (row.text() != column)
          return fail(ErrorKind::invalid, fmt::format("line {} does not name the column {}", number, column));
    } else {
      values.push_back(read_row(row));
    }
    if (const auto problem = row.problem(); !problem.empty())
      return fail(ErrorKind::invalid, fmt::format("line {} is wrong at the column {}", number, problem));
  }
  return values;
}

constexpr auto board_columns =
    std::to_array<std::string_view>({"name", "product", "device", "subsystem", "gpus", "framebuffer", "sriov",
                                     "mixed_sizes", "architecture", "ecc", "display", "sources"});
constexpr auto display_columns =
    std::to_array<std::string_view>({"tool", "mode", "argument", "class", "bar1", "vgpu", "sources"});
constexpr auto type_columns =
    std::to_array<std::string_view>({"board", "name", "series", "framebuffer", "max", "max_mixed", "id",
                                     "heads", "resolution", "gpu_instance", "sources"});
constexpr auto mig_gpu_columns = std::to_array<std::string_view>(
    {"family", "device", "compute_slices", "memory_slices", "keeps_mode", "sources"});
constexpr auto mig_profile_columns = std::to_array<std::string_view>(
    {"family", "name", "also", "id", "slices", "max", "starts", "size", "memory", "multiprocessors", "driver",
     "id_seen", "starts_seen", "sources"});

constexpr auto release_columns =
    std::to_array<std::string_view>({"release", "manager", "linux", "windows", "date", "sources"});
constexpr auto branch_columns =
    std::to_array<std::string_view>({"major", "driver", "support", "end", "guests", "sources"});
constexpr auto placement_columns =
    std::to_array<std::string_view>({"framebuffer", "size", "starts", "except", "sources"});
constexpr auto denied_columns = std::to_array<std::string_view>({"product", "board", "sources"});

constexpr auto support_words =
    std::to_array<std::pair<std::string_view, bool>>({{"LTS", true}, {"production", false}});
constexpr auto product_words =
    std::to_array<std::pair<std::string_view, Product>>({{"vgpu", Product::vgpu}, {"nvaie", Product::nvaie}});
constexpr auto evidence_words =
    std::to_array<std::pair<std::string_view, Evidence>>({{"captured", Evidence::captured},
                                                          {"documented", Evidence::documented},
                                                          {"test-data", Evidence::test_data},
                                                          {"analogy", Evidence::analogy},
                                                          {"-", Evidence::none}});

constexpr auto architecture_words =
    std::to_array<std::pair<std::string_view, Architecture>>({{"maxwell", Architecture::maxwell},
                                                              {"pascal", Architecture::pascal},
                                                              {"volta", Architecture::volta},
                                                              {"turing", Architecture::turing},
                                                              {"ampere", Architecture::ampere},
                                                              {"ada", Architecture::ada},
                                                              {"hopper", Architecture::hopper},
                                                              {"blackwell", Architecture::blackwell}});

Board read_board(Row& row) {
  // Members are initialised in the order in which they are written.
  const Board board{.name = row.text(),
                    .product = row.text(),
                    .device_id = row.number<std::uint16_t>(16),
                    .subsystem_device_id = row.optional_number<std::uint16_t>(16),
                    .gpus_per_board = row.number<unsigned>(),
                    .framebuffer_gb = row.number<unsigned>(),
                    .sriov = row.yes_or_no(),
                    .mixed_sizes = row.yes_or_no(),
                    .architecture = row.one_of(architecture_words),
                    .ecc_with_vgpus = row.yes_or_no(),
                    .display_tool = row.optional_text()};
  std::ignore = row.text();  // the sources are for people
  return board;
}

VgpuType read_type(Row& row) {
  const VgpuType type{.board = row.text(),
                      .name = row.text(),
                      .series = row.one_of("QCBA"),
                      .framebuffer_mb = row.optional_number<unsigned>(),
                      .max = row.optional_number<unsigned>(),
                      .max_mixed = row.optional_number<unsigned>(),
                      .id = row.optional_number<unsigned>(),
                      .heads = row.optional_number<unsigned>(),
                      .resolution = row.optional_text(),
                      .gpu_instance = row.optional_text()};
  std::ignore = row.text();
  return type;
}

MigGpu read_mig_gpu(Row& row) {
  const MigGpu gpu{.family = row.text(),
                   .device_id = row.optional_number<std::uint16_t>(16),
                   .compute_slices = row.number<unsigned>(),
                   .memory_slices = row.optional_number<unsigned>(),
                   .keeps_mode = row.yes_or_no()};
  std::ignore = row.text();
  return gpu;
}

MigProfile read_mig_profile(Row& row) {
  MigProfile profile{.family = row.text(),
                     .name = row.text(),
                     .also = row.optional_text(),
                     .id = row.optional_number<unsigned>(),
                     .slices = row.number<unsigned>(),
                     .max = row.number<unsigned>(),
                     .starts = row.optional_numbers(),
                     .size = row.optional_number<unsigned>(),
                     .memory_mb = row.optional_number<unsigned>(),
                     .multiprocessors = row.optional_number<unsigned>(),
                     .driver = row.optional_text(),
                     .id_evidence = row.one_of(evidence_words),
                     .placement_evidence = row.one_of(evidence_words)};
  std::ignore = row.text();
  return profile;
}

Release read_release(Row& row) {
  Release release{.name = row.text(),
                  .manager = row.text(),
                  .linux_guest = row.text(),
                  .windows_guest = row.text(),
                  .date = row.optional_text()};
  release.major = parse_number<unsigned>(split(release.name, '.').front(), 10).value_or(0);
  std::ignore = row.text();
  return release;
}

Branch read_branch(Row& row) {
  Branch branch{.major = row.number<unsigned>(),
                .driver = row.text(),
                .long_term = row.one_of(support_words),
                .end_of_support = row.optional_text(),
                .guests = row.optional_numbers()};
  std::ignore = row.text();
  return branch;
}

DisplayMode read_display_mode(Row& row) {
  const DisplayMode mode{.tool = row.text(),
                         .mode = row.text(),
                         .argument = row.text(),
                         .class_code = row.number<std::uint16_t>(16),
                         .bar1_mib = row.optional_number<unsigned>(),
                         .vgpus = row.yes_or_no()};
  std::ignore = row.text();
  return mode;
}

VgpuPlacements read_vgpu_placements(Row& row) {
  VgpuPlacements placements{.framebuffer_gb = row.number<unsigned>(),
                            .size = row.number<unsigned>(),
                            .starts = row.optional_numbers(),
                            .except = row.optional_one_of(architecture_words)};
  std::ignore = row.text();
  return placements;
}

DeniedBoard read_denied_board(Row& row) {
  const DeniedBoard denied{.product = row.one_of(product_words), .board = row.text()};
  std::ignore = row.text();
  return denied;
}

}  // namespace

Result<std::vector<Board>> parse_boards(std::string_view table) {
  return parse<Board>(table, board_columns, read_board);
}

Result<std::vector<VgpuType>> parse_vgpu_types(std::string_view table) {
  return parse<VgpuType>(table, type_columns, read_type);
}

Result<std::vector<MigGpu>> parse_mig_gpus(std::string_view table) {
  return parse<MigGpu>(table, mig_gpu_columns, read_mig_gpu);
}

Result<std::vector<MigProfile>> parse_mig_profiles(std::string_view table) {
  return parse<MigProfile>(table, mig_profile_columns, read_mig_profile);
}

Result<std::vector<Release>> parse_releases(std::string_view table) {
  return parse<Release>(table, release_columns, read_release);
}

Result<std::vector<Branch>> parse_branches(std::string_view table) {
  return parse<Branch>(table, branch_columns, read_branch);
}

Result<std::vector<DeniedBoard>> parse_denied_boards(std::string_view table) {
  return parse<DeniedBoard>(table, denied_columns, read_denied_board);
}

Result<std::vector<DisplayMode>> parse_display_modes(std::string_view table) {
  return parse<DisplayMode>(table, display_columns, read_display_mode);
}

Result<std::vector<VgpuPlacements>> parse_vgpu_placements(std::string_view table) {
  return parse<VgpuPlacements>(table, placement_columns, read_vgpu_placements);
}

}  // namespace gpuhost::catalog
