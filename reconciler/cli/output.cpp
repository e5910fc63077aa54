#include "cli/output.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>

#include <fmt/format.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "base/text.hpp"

namespace gpuhost {

void start_logging(bool verbose) {
  auto sink = std::make_shared<spdlog::sinks::ansicolor_stderr_sink_mt>(spdlog::color_mode::never);
  auto logger = std::make_shared<spdlog::logger>("gpuhost", std::move(sink));
  logger->set_pattern("gpuhost: %l: %v");
  logger->set_level(verbose ? spdlog::level::debug : spdlog::level::warn);
  spdlog::set_default_logger(std::move(logger));
}

ExitCode report(const Error& error) {
  return report(error, exit_code_of(error.kind));
}

ExitCode report(const Error& error, ExitCode code) {
  const auto advice = error.advice.empty() ? "" : fmt::format(" ({})", escape_for_terminal(error.advice));
  spdlog::error("{}{}", escape_for_terminal(error.message), advice);
  return code;
}

void log_warning(std::string_view text) {
  spdlog::warn("{}", escape_for_terminal(text));
}

void log_detail(std::string_view text) {
  spdlog::info("{}", escape_for_terminal(text));
}

void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void print_error(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
}

bool flush_output() {
  const bool flushed = std::fflush(stdout) == 0;
  return flushed && std::ferror(stdout) == 0;
}

bool output_is_terminal() {
  return ::isatty(STDOUT_FILENO) == 1;
}

bool input_is_terminal() {
  return ::isatty(STDIN_FILENO) == 1;
}

Style output_style(bool no_color, bool verbose) {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string_view(value == nullptr ? "" : value);
  };
  const bool wanted = !no_color && variable("NO_COLOR").empty() && variable("TERM") != "dumb";
  return {.colour = wanted && output_is_terminal(), .verbose = verbose};
}

}  // namespace gpuhost
