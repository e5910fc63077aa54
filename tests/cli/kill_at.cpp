// Preloaded into gpuhost: sends it the signal KILL_WITH (SIGKILL) just before the KILL_AT-th call, of all its
// threads, that changes or syncs a file, and before the KILL_TIMES - 1 (0) calls after that. What goes to the
// standard streams does not count.
#include <atomic>
#include <csignal>
#include <cstdlib>

#include <dlfcn.h>
#include <sys/types.h>
#include <unistd.h>

namespace {

long number(const char* name, long otherwise) {
  const char* given = std::getenv(name);
  return given != nullptr ? std::atol(given) : otherwise;
}

void count() {
  static std::atomic<long> calls = 0;
  static const long first = number("KILL_AT", 0);
  static const long end = first + number("KILL_TIMES", 1);
  static const int signal = static_cast<int>(number("KILL_WITH", SIGKILL));
  const long call = ++calls;
  // To this very thread: it is handled before the call.
  if (first > 0 && call >= first && call < end) ::raise(signal);
}

template <class Function>
Function* original(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

ssize_t write(int file, const void* data, size_t size) {
  static const auto next = original<decltype(write)>("write");
  if (file > STDERR_FILENO) count();
  return next(file, data, size);
}

int renameat(int from, const char* old_name, int to, const char* new_name) noexcept {
  static const auto next = original<decltype(renameat)>("renameat");
  count();
  return next(from, old_name, to, new_name);
}

int unlinkat(int at, const char* name, int flags) noexcept {
  static const auto next = original<decltype(unlinkat)>("unlinkat");
  count();
  return next(at, name, flags);
}

int mkdirat(int at, const char* name, mode_t mode) noexcept {
  static const auto next = original<decltype(mkdirat)>("mkdirat");
  count();
  return next(at, name, mode);
}

int fsync(int file) {
  static const auto next = original<decltype(fsync)>("fsync");
  count();
  return next(file);
}

int fdatasync(int file) {
  static const auto next = original<decltype(fdatasync)>("fdatasync");
  count();
  return next(file);
}

}  // extern "C"
