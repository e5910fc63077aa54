#include "inventory/identity.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/gpu_files.hpp"

namespace gpuhost::testing {
namespace {

KnownGpu known(const std::string& address, const std::string& uuid) {
  return {*PciAddress::parse(address), "10de:20f1/10de:145f", uuid, std::nullopt};
}

Gpu gpu(const std::string& address, const std::optional<std::string>& uuid) {
  Gpu made{PciFunction{.address = *PciAddress::parse(address),
                       .vendor_id = 0x10de,
                       .device_id = 0x20f1,
                       .subsystem_vendor_id = 0x10de,
                       .subsystem_device_id = 0x145f}};
  made.uuid = uuid;
  return made;
}

TEST(IdentityRecord, IsReadBackAsWritten) {
  FakeHost host;
  const std::vector<KnownGpu> gpus{known("0000:41:00.0", "GPU-a"), known("0000:61:00.0", "GPU-b")};
  ASSERT_TRUE(identity_record::store(gpus, host, host));
  EXPECT_EQ(*identity_record::load(host), gpus);
}

TEST(IdentityRecord, WritesNothingThatItSaysAlready) {
  FakeHost host;
  ASSERT_TRUE(identity_record::store({known("0000:41:00.0", "GPU-a")}, host, host));
  ASSERT_TRUE(identity_record::store({known("0000:41:00.0", "GPU-a")}, host, host));
  EXPECT_EQ(host.writes, 1U);
}

TEST(IdentityRecord, NoFileIsNoKnowledgeAndADamagedOneAnError) {
  FakeHost host;
  EXPECT_TRUE(identity_record::load(host)->empty());
  for (const char* damaged : {"", "[]", "{}", R"({"format_version": 1, "gpus": [{"address": "x"}]})",
                              R"({"format_version": 1, "gpus": [3]})"}) {
    host.files[identity_record::path] = damaged;
    EXPECT_EQ(identity_record::load(host).error().kind, ErrorKind::invalid) << damaged;
  }
  host.files[identity_record::path] = R"({"format_version": 2, "gpus": []})";
  EXPECT_EQ(identity_record::load(host).error().kind, ErrorKind::stale);
}

/// So that those beside it keep their numbers when it is gone one day.
TEST(IdentityRecord, OneThatIsAbsentStaysAndOneWithoutUuidIsAddedToo) {
  const Inventory seen{.gpus = {gpu("0000:61:00.0", std::nullopt)},
                       .known = {known("0000:41:00.0", "GPU-a")}};
  EXPECT_EQ(identity_record::updated(seen),
            (std::vector<KnownGpu>{seen.known[0],
                                   {*PciAddress::parse("0000:61:00.0"), "10de:20f1/10de:145f", {}, {}}}));
}

TEST(IdentityRecord, ABoardThatMovedOrWasSwappedHasOneEntry) {
  const Inventory seen{.gpus = {gpu("0000:61:00.0", "GPU-a"), gpu("0000:81:00.0", "GPU-c")},
                       .known = {known("0000:41:00.0", "GPU-a"), known("0000:81:00.0", "GPU-b")}};
  EXPECT_EQ(identity_record::updated(seen),
            (std::vector<KnownGpu>{known("0000:61:00.0", "GPU-a"), known("0000:81:00.0", "GPU-c")}));
}

}  // namespace
}  // namespace gpuhost::testing
