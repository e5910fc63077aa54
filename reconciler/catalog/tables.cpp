#include "catalog/tables.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <optional>
#include <span>
#include <system_error>
#include <tuple>

#include <fmt/format.h>

namespace gpuhost::catalog {

namespace {

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
    Number number{};
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), number, base);
    require(error == std::errc() && end == field.data() + field.size());
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

constexpr auto board_columns = std::to_array<std::string_view>(
    {"name", "product", "device", "subsystem", "gpus", "framebuffer", "sriov", "mixed_sizes", "sources"});
constexpr auto type_columns =
    std::to_array<std::string_view>({"board", "name", "series", "framebuffer", "max", "max_mixed", "id",
                                     "heads", "resolution", "gpu_instance", "sources"});

Board read_board(Row& row) {
  // Members are initialised in the order in which they are written.
  const Board board{.name = row.text(),
                    .product = row.text(),
                    .device_id = row.number<std::uint16_t>(16),
                    .subsystem_device_id = row.optional_number<std::uint16_t>(16),
                    .gpus_per_board = row.number<unsigned>(),
                    .framebuffer_gb = row.number<unsigned>(),
                    .sriov = row.yes_or_no(),
                    .mixed_sizes = row.yes_or_no()};
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

}  // namespace

Result<std::vector<Board>> parse_boards(std::string_view table) {
  return parse<Board>(table, board_columns, read_board);
}

Result<std::vector<VgpuType>> parse_vgpu_types(std::string_view table) {
  return parse<VgpuType>(table, type_columns, read_type);
}

}  // namespace gpuhost::catalog
