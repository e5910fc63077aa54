#pragma once

#include <expected>
#include <string_view>

#include "base/result.hpp"
#include "cli/exit_code.hpp"
#include "render/style.hpp"

namespace gpuhost {

/// A value, or the exit code of a verb that has already told the user why it ends.
template <class T>
using OrExit = std::expected<T, ExitCode>;

/// Sets up logging to standard error. Errors and warnings always show, the rest with -v.
void start_logging(bool verbose);

/// Logs the error with its advice; yields the exit code that stands for it.
ExitCode report(const Error& error);
ExitCode report(const Error& error, ExitCode code);
void log_warning(std::string_view text);
void log_detail(std::string_view text);

/// To standard output, as it is.
void print(std::string_view text);
/// To standard error, as it is: for diagnostics that are already laid out.
void print_error(std::string_view text);
/// Hands everything printed so far on; false if some of it could not be written.
[[nodiscard]] bool flush_output();

[[nodiscard]] bool output_is_terminal();
[[nodiscard]] bool input_is_terminal();
/// Colours only on a terminal, and not with --no-color, NO_COLOR or TERM=dumb.
[[nodiscard]] Style output_style(bool no_color, bool verbose);

}  // namespace gpuhost
