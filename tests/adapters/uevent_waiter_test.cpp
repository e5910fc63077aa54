#include "host/real/uevent_waiter.hpp"

#include <atomic>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "host/real/boot_clock.hpp"

namespace gpuhost {
namespace {

using namespace std::chrono_literals;

class UeventWaiterTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::chrono::nanoseconds taken() const { return clock_.since_boot() - begun_; }

  UeventWaiter waiter_;
  BootClock clock_;
  std::chrono::nanoseconds begun_ = clock_.since_boot();
};

TEST_F(UeventWaiterTest, what_is_so_already_is_not_waited_for) {
  int asked = 0;
  EXPECT_TRUE(waiter_.until([&] { return ++asked == 1; }, 0s));
  EXPECT_EQ(asked, 1);
}

TEST_F(UeventWaiterTest, what_never_comes_ends_at_the_limit_and_was_asked_about_last_then) {
  std::chrono::nanoseconds last{};
  const auto never = [&] {
    last = taken();
    return false;
  };
  EXPECT_FALSE(waiter_.until(never, 1s));
  EXPECT_GE(last, 1s);
  EXPECT_LT(taken(), 5s);
}

TEST_F(UeventWaiterTest, what_comes_at_the_limit_has_come) {
  EXPECT_TRUE(waiter_.until([&] { return taken() >= 1s; }, 1s));
}

TEST_F(UeventWaiterTest, what_changes_without_an_event_is_seen_all_the_same) {
  std::atomic<bool> changed = false;
  const std::jthread change([&] {
    (void)UeventWaiter().until([] { return false; }, 1s);
    changed = true;
  });
  EXPECT_TRUE(waiter_.until([&] { return changed.load(); }, 60s));
  EXPECT_LT(taken(), 30s);
}

TEST_F(UeventWaiterTest, an_event_of_the_kernel_is_a_reason_to_ask) {
  std::ofstream uevent("/sys/class/mem/null/uevent");
  if (!(uevent << "change" << std::flush)) GTEST_SKIP() << "the kernel takes no request for an event here";
  // Each question causes the next event; nothing but events makes so many of them in so short a time.
  int asked = 0;
  const auto often = [&] {
    uevent << "change" << std::flush;
    return ++asked == 1000;
  };
  EXPECT_TRUE(waiter_.until(often, 30s));
}

}  // namespace
}  // namespace gpuhost
