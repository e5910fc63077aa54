#include "cli/interrupt.hpp"

#include <csignal>

#include <unistd.h>

namespace gpuhost {

namespace {

constexpr int signal_base = 128;  // the shell's convention for "ended by signal N"

// A signal handler can reach nothing but globals.
std::atomic<bool> requested_{false};
std::atomic<int> signal_{0};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

extern "C" void on_signal(int signal) {
  if (requested_.exchange(true)) ::_exit(signal_base + signal);
  signal_ = signal;
}

/// Only there for its being no default and, unlike SIG_IGN, not inherited by commands: what cannot be written
/// shows in the exit code.
extern "C" void on_broken_pipe(int) {}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

InterruptWatch::InterruptWatch() {
  requested_ = false;
  signal_ = 0;
  for (const int signal : {SIGINT, SIGTERM}) handle(signal, on_signal);
  handle(SIGPIPE, on_broken_pipe);
}

InterruptWatch::~InterruptWatch() {
  for (const int signal : {SIGINT, SIGTERM, SIGPIPE}) handle(signal, SIG_DFL);
}

const std::atomic<bool>& InterruptWatch::requested() const {
  return requested_;
}

ExitCode InterruptWatch::exit_code() const {
  return signal_ == SIGTERM ? ExitCode::terminated : ExitCode::interrupted;
}

}  // namespace gpuhost
