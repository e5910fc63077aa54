#include "base/text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/observed.hpp"
#include "base/pci_address.hpp"
#include "base/sha256.hpp"
#include "base/unique_fd.hpp"
#include "base/uuid.hpp"

namespace gpuhost {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Text, SplitsTrimsAndJoins) {
  EXPECT_EQ(trim(" \t a b\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
  EXPECT_THAT(split("a,,b,", ','), ElementsAre("a", "", "b", ""));
  EXPECT_THAT(words("  one\ttwo \n three "), ElementsAre("one", "two", "three"));
  EXPECT_THAT(words(" \n"), IsEmpty());
  EXPECT_THAT(lines("a\n\nb"), ElementsAre("a", "", "b"));
  EXPECT_THAT(lines("a\n"), ElementsAre("a"));
  EXPECT_THAT(lines(""), IsEmpty());
  EXPECT_EQ(join(std::vector<std::string>{"a", "b"}, ", "), "a, b");
}

TEST(Text, ANumberIsTheWholeText) {
  EXPECT_EQ(parse_unsigned("12"), 12U);
  EXPECT_EQ(parse_unsigned("0x1F"), 31U);
  for (const auto* wrong : {"", "0x", "-1", "+1", "1 ", "12x", "99999999999999999999", "0x-1"})
    EXPECT_EQ(parse_unsigned(wrong), std::nullopt) << wrong;
}

TEST(Text, SuggestsOnlyWhatIsNear) {
  const std::vector<std::string> keys{"vgpus", "mode", "match"};
  EXPECT_EQ(suggest("vgpu", keys), "vgpus");
  EXPECT_EQ(suggest("mdoe", keys),
            std::nullopt);  // two edits in four letters are no typing error we would bet on
  EXPECT_EQ(suggest("matc", keys), "match");
  EXPECT_EQ(suggest("frobnicate", keys), std::nullopt);
  EXPECT_EQ(suggest(std::string(100'000, 'x'), keys), std::nullopt);
}

TEST(Text, NothingSteersATerminal) {
  EXPECT_EQ(escape_for_terminal("plain – ü 日本"), "plain – ü 日本");
  EXPECT_EQ(escape_for_terminal("\x1b[31m"), "\\x1b[31m");
  EXPECT_EQ(escape_for_terminal("a\nb\x7f"), "a\\x0ab\\x7f");
  EXPECT_EQ(escape_for_terminal("\xc2\x9b"), "\\xc2\\x9b");           // C1 control sequence introducer
  EXPECT_EQ(escape_for_terminal("\xff\xc0\xaf"), "\\xff\\xc0\\xaf");  // no UTF-8, overlong
  EXPECT_EQ(escape_for_terminal("\u202e\u2066"), "\\xe2\\x80\\xae\\xe2\\x81\\xa6");  // turn the order round
  EXPECT_EQ(escape_for_terminal("\u2026\u2065"), "\u2026\u2065");
  EXPECT_EQ(escape_for_terminal("\xe2\x82"), "\\xe2\\x82");  // cut off
}

TEST(Text, GlobsAndModuleNames) {
  EXPECT_TRUE(glob_matches("kvm-gpu-0*", "kvm-gpu-07"));
  EXPECT_FALSE(glob_matches("kvm-gpu-0", "kvm-gpu-07"));
  EXPECT_EQ(underscored("vfio-pci"), "vfio_pci");
}

TEST(PciAddress, ReadsWhatSysfsPrintsAndNothingElse) {
  const auto address = PciAddress::parse("0000:41:1F.7");
  ASSERT_TRUE(address.has_value());
  EXPECT_EQ(address->to_string(), "0000:41:1f.7");
  EXPECT_EQ(PciAddress::parse("10000:e1:00.0")->to_string(), "10000:e1:00.0");
  for (const auto* wrong : {"", "41:00.0", "0000:41:00", "0000:41:20.0", "0000:41:00.8", "0000:41:00.0 ",
                            "0000:4g:00.0", "000:41:00.0", "0000:041:00.0", "-000:41:00.0"})
    EXPECT_EQ(PciAddress::parse(wrong), std::nullopt) << wrong;
}

TEST(Uuid, ReadsItsTextFormOnly) {
  const auto uuid = Uuid::parse("0D8C4A7E-1111-5222-8333-444455556666");
  ASSERT_TRUE(uuid.has_value());
  EXPECT_EQ(uuid->to_string(), "0d8c4a7e-1111-5222-8333-444455556666");
  for (const auto* wrong : {"", "0d8c4a7e111152228333444455556666", "0d8c4a7e-1111-5222-8333-44445555666",
                            "0d8c4a7e-1111-5222-8333-44445555666g", "0d8c4a7e+1111-5222-8333-444455556666"})
    EXPECT_EQ(Uuid::parse(wrong), std::nullopt) << wrong;
}

TEST(Sha256, AgreesWithThePublishedVectors) {
  // FIPS 180-4 example: "abc"; the empty message is NIST's.
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Observed, UnknownIsNeitherAbsentNorAValue) {
  const auto unknown = Observed<int>::unknown("no permission");
  EXPECT_FALSE(unknown.has_value());
  EXPECT_FALSE(unknown.is_absent());
  EXPECT_EQ(unknown.reason(), "no permission");
  EXPECT_TRUE(Observed<int>::from(fail(ErrorKind::not_found, "gone")).is_absent());
  EXPECT_TRUE(Observed<int>::from(fail(ErrorKind::denied, "no")).is_unknown());
  EXPECT_EQ(*Observed<int>::from(7), 7);
}

TEST(Error, SaysWhatFailedOnWhatAndWhy) {
  const auto error = system_error(EACCES, "read", "/proc/kcore");
  EXPECT_EQ(error.kind, ErrorKind::denied);
  EXPECT_EQ(error.message, "cannot read /proc/kcore: Permission denied");
  EXPECT_FALSE(error.retryable());
  EXPECT_TRUE(system_error(EBUSY, "remove", "it").retryable());
  EXPECT_EQ(Error(error).within("looking at memory").message,
            "looking at memory: cannot read /proc/kcore: Permission denied");
}

}  // namespace
}  // namespace gpuhost
