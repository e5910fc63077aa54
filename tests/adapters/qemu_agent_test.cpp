#include "host/real/libvirt/qemu_agent.hpp"

#include <deque>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

// The protocol of the QEMU guest agent, against one that answers what it is told to.

namespace gpuhost::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Answers each command with what comes next for it, the last again and again.
class StandIn {
 public:
  void answer(const std::string& command, std::string json) { answers_[command].push_back(std::move(json)); }
  void refuse(const std::string& command, std::string words) { refusals_[command] = std::move(words); }

  [[nodiscard]] QemuAgent agent() {
    return {"guest train-01", [this](const std::string& text, std::chrono::seconds) -> Result<std::string> {
              const auto command = Json::parse(text);
              const auto name = command.at("execute").get<std::string>();
              asked.push_back(command);
              if (const auto refusal = refusals_.find(name); refusal != refusals_.end())
                return fail(ErrorKind::unavailable, refusal->second);
              auto& left = answers_.at(name);
              auto next = left.front();
              if (left.size() > 1) left.pop_front();
              return next;
            }};
  }

  std::vector<Json> asked;

 private:
  std::map<std::string, std::deque<std::string>> answers_;
  std::map<std::string, std::string> refusals_;
};

std::vector<std::string> names(const std::vector<Json>& asked) {
  std::vector<std::string> found;
  for (const auto& command : asked) found.push_back(command.at("execute"));
  return found;
}

TEST(QemuAgent, ReadsAFileInPartsAndClosesIt) {
  StandIn guest;
  guest.answer("guest-file-open", R"({"return":1000})");
  guest.answer("guest-file-read", R"({"return":{"count":8,"buf-b64":"NTM1LjE2MQ==","eof":false}})");
  guest.answer("guest-file-read", R"({"return":{"count":4,"buf-b64":"LjA3Cg==","eof":true}})");
  guest.answer("guest-file-close", R"({"return":{}})");
  EXPECT_EQ(guest.agent().read("/sys/module/nvidia/version").value_or("?"), "535.161.07\n");
  EXPECT_THAT(names(guest.asked),
              ElementsAre("guest-file-open", "guest-file-read", "guest-file-read", "guest-file-close"));
  EXPECT_EQ(guest.asked[1].at("arguments").at("handle"), 1000);
}

TEST(QemuAgent, ReadsNoMoreThanItsBound) {
  StandIn guest;
  guest.answer("guest-file-open", R"({"return":1})");
  const std::string part(8192, 'A');  // 6144 bytes
  guest.answer("guest-file-read", R"({"return":{"count":6144,"buf-b64":")" + part + R"(","eof":false}})");
  guest.answer("guest-file-close", R"({"return":{}})");
  EXPECT_EQ(guest.agent().read("/dev/zero")->size(), std::size_t{64} << 10U);
}

TEST(QemuAgent, RunsAProgramOfWindowsToItsEnd) {
  StandIn guest;
  guest.answer("guest-exec", R"({"return":{"pid":2696}})");
  guest.answer("guest-exec-status", R"({"return":{"exited":false}})");
  guest.answer("guest-exec-status", R"({"return":{"exited":true,"exitcode":0,"out-data":"NTM4LjMzDQo="}})");
  const auto result =
      guest.agent().run({{"C:\\Windows\\System32\\nvidia-smi.exe", "-q"}, std::chrono::seconds{10}});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->output, "538.33\r\n");
  EXPECT_EQ(guest.asked[0].at("arguments").at("arg"), Json({"-q"}));
  EXPECT_EQ(guest.asked[1].at("arguments").at("pid"), 2696);
}

TEST(QemuAgent, TellsWhatAGuestRefusesFromWhatIsNotThere) {
  StandIn guest;
  guest.refuse("guest-exec",
               "internal error: unable to execute QEMU agent command 'guest-exec': Command guest-exec has "
               "been disabled");
  guest.refuse("guest-file-open",
               "internal error: failed to open file '/sys/module/nvidia/version': No such file or directory");
  const auto refused = guest.agent().run({{"modinfo"}, std::chrono::seconds{1}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::unsupported);
  EXPECT_THAT(refused.error().advice, HasSubstr("allow guest-exec"));
  EXPECT_EQ(guest.agent().read("/sys/module/nvidia/version").error().kind, ErrorKind::not_found);
}

TEST(QemuAgent, LeavesAProgramThatDoesNotEndInTime) {
  StandIn guest;
  guest.answer("guest-exec", R"({"return":{"pid":1}})");
  guest.answer("guest-exec-status", R"({"return":{"exited":false}})");
  EXPECT_EQ(guest.agent().run({{"sleep"}, std::chrono::seconds{0}}).error().kind, ErrorKind::timed_out);
}

TEST(QemuAgent, TakesNothingForAnAnswerThatIsNone) {
  for (const char* nonsense : {"", "{}", "[]", "{\"error\":{}}", "\"return\""}) {
    StandIn guest;
    guest.answer("guest-get-osinfo", nonsense);
    EXPECT_EQ(guest.agent().operating_system().error().kind, ErrorKind::unavailable) << nonsense;
  }
  StandIn guest;
  guest.answer("guest-get-osinfo", R"({"return":{"id":"mswindows","version-id":"10"}})");
  EXPECT_EQ(guest.agent().operating_system().value_or("?"), "mswindows");
  for (const char* nonsense : {R"({"return":{"pid":null}})", R"({"return":7})"}) {
    StandIn odd;
    odd.answer("guest-exec", nonsense);
    odd.answer("guest-exec-status", R"({"return":{"exited":"yes","exitcode":"0","out-data":7}})");
    EXPECT_FALSE(odd.agent().run({{"modinfo"}, std::chrono::seconds{0}})) << nonsense;
  }
}

}  // namespace
}  // namespace gpuhost::testing
