// Runs a command many times and prints the median of its wall time and its largest peak of memory:
//   measure_process RUNS COMMAND [ARGUMENT…]
// One line: milliseconds, KiB, exit status. A small program, since the peak of a child counts what it had
// before exec.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

struct Run {
  double milliseconds = 0;
  long peak_kib = 0;
  int status = 0;
};

Run run(char** command) {
  const auto start = std::chrono::steady_clock::now();
  const pid_t child = ::fork();
  if (child == 0) {
    const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(nowhere, descriptor);
    ::execv(command[0], command);
    ::_exit(127);
  }
  int status = -1;
  rusage used{};
  if (child < 0 || ::wait4(child, &status, 0, &used) != child) return {.status = -1};
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  return {took.count(), used.ru_maxrss, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)};
}

}  // namespace

int main(int count, char** arguments) {
  const int runs = count > 2 ? std::atoi(arguments[1]) : 0;
  if (runs < 1) {
    std::fprintf(stderr, "usage: measure_process RUNS COMMAND [ARGUMENT...]\n");
    return 64;
  }
  std::vector<double> times;
  long peak = 0;
  int status = 0;
  for (int index = 0; index < runs; ++index) {
    const Run one = run(arguments + 2);
    times.push_back(one.milliseconds);
    peak = std::max(peak, one.peak_kib);
    status = one.status;
  }
  const auto middle = times.begin() + runs / 2;
  std::nth_element(times.begin(), middle, times.end());
  std::printf("%.2f %ld %d\n", *middle, peak, status);
  return 0;
}
