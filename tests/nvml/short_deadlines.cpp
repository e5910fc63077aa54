#include <ctime>

#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

/// Preloaded, so that a minute of the program's deadlines takes a second.
extern "C" int timerfd_settime(int fd, int flags, const itimerspec* when, itimerspec* old) noexcept {
  constexpr long shorter = 60;
  constexpr long nanoseconds = 1'000'000'000;
  itimerspec sooner = *when;
  sooner.it_value.tv_nsec =
      when->it_value.tv_sec % shorter * (nanoseconds / shorter) + when->it_value.tv_nsec / shorter;
  sooner.it_value.tv_sec = when->it_value.tv_sec / shorter + sooner.it_value.tv_nsec / nanoseconds;
  sooner.it_value.tv_nsec = sooner.it_value.tv_nsec % nanoseconds;
  if (sooner.it_value.tv_sec == 0 && sooner.it_value.tv_nsec == 0) sooner.it_value.tv_nsec = 1;
  return static_cast<int>(::syscall(SYS_timerfd_settime, fd, flags, &sooner, old));
}
