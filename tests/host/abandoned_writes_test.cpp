#include "host/abandoned_writes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/memory_host.hpp"

namespace gpuhost::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// As the kernel tells of a process, proc_pid_stat(5); a name may hold anything.
std::string stat_line(const std::string& state, const std::string& start) {
  return "4711 (a) b (c) " + state + " 1 4711 4711 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 " + start + " 0 0\n";
}

AbandonedWrite unbind() {
  return {.device = "0000:41:00.0",
          .request = "write '0000:41:00.0' to /sys/bus/pci/drivers/nvidia/unbind",
          .since = "2026-01-31T12:00:00Z",
          .pid = 4711,
          .started = "98765"};
}

class AbandonedWritesTest : public ::testing::Test {
 protected:
  void shown_as(const std::string& state, const std::string& start) {
    memory_.put("/proc/4711/stat", stat_line(state, start));
  }
  [[nodiscard]] AbandonedWrites loaded() {
    auto writes = load_abandoned_writes(memory_.host().view.files);
    EXPECT_TRUE(writes) << writes.error().message;
    return writes.value_or(AbandonedWrites{});
  }
  Result<void> record(AbandonedWrite write) {
    auto host = memory_.host();
    return record_abandoned_write(std::move(write), host.view.files, host.files);
  }

  MemoryHost memory_;
};

TEST_F(AbandonedWritesTest, one_counts_while_its_process_is_there) {
  shown_as("D", "98765");
  ASSERT_TRUE(record(unbind()));
  EXPECT_THAT(loaded(), ElementsAre(unbind()));
  for (const auto* gone : {"Z", "X"}) {
    shown_as(gone, "98765");
    EXPECT_THAT(loaded(), IsEmpty()) << gone;
  }
  shown_as("S", "98766");
  EXPECT_THAT(loaded(), IsEmpty()) << "another process has its number";
}

TEST_F(AbandonedWritesTest, what_has_ended_leaves_the_record_with_the_next) {
  shown_as("D", "98765");
  ASSERT_TRUE(record(unbind()));
  auto later = unbind();
  later.pid = 4712;
  memory_.put("/proc/4711/stat", "");
  ASSERT_TRUE(record(later));
  EXPECT_FALSE(memory_.files().at("/run/gpuhost/abandoned.json").contains("4711"));
}

TEST_F(AbandonedWritesTest, a_damaged_record_is_no_free_way) {
  memory_.put("/run/gpuhost/abandoned.json", R"({"format_version": 1, "writes": [{"pid": "x"}]})");
  EXPECT_EQ(load_abandoned_writes(memory_.host().view.files).error().kind, ErrorKind::invalid);
}

TEST(WrittenDevice, IsNamedInTheTextOrThePath) {
  EXPECT_EQ(written_device("/sys/bus/pci/drivers/nvidia/unbind", "0000:41:00.0\n"), "0000:41:00.0");
  EXPECT_EQ(written_device("/sys/bus/pci/devices/0000:41:00.1/driver_override", "vfio-pci"), "0000:41:00.1");
  EXPECT_EQ(written_device("/sys/bus/mdev/devices/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001/remove", "1"),
            "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001");
  EXPECT_EQ(written_device("/sys/kernel/x", "1"), "/sys/kernel/x");
}

}  // namespace
}  // namespace gpuhost::testing
