#include "kinds/gpus/gpus.hpp"

#include <gmock/gmock.h>

#include "inventory/identity.hpp"
#include "kinds/gpu_facts.hpp"
#include "kinds/one_pass.hpp"
#include "support/gpu_files.hpp"

namespace gpuhost::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const PciAddress gpu_address = *PciAddress::parse("0000:41:00.0");
const Fact idle = gpu_facts::idle(gpu_address);

FakeHost host_with_gpu() {
  FakeHost host;
  put_function(host, {.address = "0000:41:00.0"});
  put_driver_information(host, "0000:41:00.0", "GPU-11111111-2222-3333-4444-555555555555", 0);
  return host;
}

GpuEntry all(std::optional<unsigned> expect = {},
             GpuSelector::Missing missing = GpuSelector::Missing::refuse) {
  return {
      .name = Located{std::string("desk"), Mark{}},
      .mark = {},
      .match_mark = {},
      .selector = GpuSelector{.by = GpuSelector::By::all, .value = {}, .expect = expect, .missing = missing},
      .mode = {}};
}

Truth::Value truth(const FakeHost& host, const Fact& fact) {
  const auto kind = make_gpus({all()});
  return kind->holds(fact, *kind->observe(host.view()))->value;
}

std::vector<Fact> needs_of(const FakeHost& host, const Fact& fact) {
  const auto kind = make_gpus({all()});
  const auto offers = kind->offer(fact, *kind->observe(host.view()), {"doc", {}, {}});
  return offers.empty() ? std::vector<Fact>{} : offers.at(0).needs;
}

TEST(Gpus, WhatIsThereNeedsNoWord) {
  const auto proposal = plan(*make_gpus({all(1)}), host_with_gpu(), {}, {});
  EXPECT_THAT(proposal.notes, IsEmpty());
  EXPECT_THAT(proposal.steps, IsEmpty());
}

TEST(Gpus, OneThatIsMissingRefusesUnlessItMayBeSkipped) {
  const auto refused = plan(*make_gpus({all(2)}), host_with_gpu(), {}, {});
  ASSERT_EQ(refused.notes.size(), 1U);
  EXPECT_EQ(refused.notes[0].severity, Note::Severity::error);
  EXPECT_EQ(finding(refused, "gpu[desk].match").verdict, Finding::Verdict::differs);
  EXPECT_THAT(refused.conditions, IsEmpty());
  const auto skipped = plan(*make_gpus({all(2, GpuSelector::Missing::skip)}), host_with_gpu(), {}, {});
  EXPECT_THAT(skipped.notes, IsEmpty());
  EXPECT_THAT(skipped.findings, IsEmpty());
  ASSERT_EQ(skipped.conditions.size(), 1U);
  EXPECT_EQ(skipped.conditions[0].type, Condition::Type::degraded);
}

TEST(Gpus, OneTooManyIsNotMissing) {
  auto host = host_with_gpu();
  put_function(host, {.address = "0000:61:00.0", .group = 11});
  const auto proposal = plan(*make_gpus({all(1, GpuSelector::Missing::skip)}), host, {}, {});
  ASSERT_EQ(proposal.notes.size(), 1U);
  EXPECT_EQ(proposal.notes[0].severity, Note::Severity::error);
}

TEST(Gpus, TwoEntriesForOneGpuAreAnError) {
  auto by_address = all();
  by_address.name = Located{std::string("left"), Mark{}};
  by_address.selector = GpuSelector{.by = GpuSelector::By::address, .value = "0000:41:00.0"};
  const auto proposal = plan(*make_gpus({all(), by_address}), host_with_gpu(), {}, {});
  ASSERT_EQ(proposal.notes.size(), 1U);
  EXPECT_THAT(proposal.notes[0].message, HasSubstr("selected by the entry desk too"));
}

TEST(Gpus, ADamagedRecordIsAnError) {
  auto host = host_with_gpu();
  host.files[identity_record::path] = "spoilt";
  const auto proposal = plan(*make_gpus({all()}), host, {}, {});
  ASSERT_EQ(proposal.notes.size(), 1U);
  EXPECT_EQ(proposal.notes[0].severity, Note::Severity::error);
}

TEST(Gpus, IdleIsWhatNobodyHolds) {
  auto host = host_with_gpu();
  EXPECT_EQ(truth(host, idle), Truth::Value::yes);
  EXPECT_THAT(needs_of(host, idle), IsEmpty());
  host.device_holders = {{4711, "python3", "/user.slice/user-0.slice/session-1.scope", {"/dev/nvidia0"}}};
  EXPECT_EQ(truth(host, idle), Truth::Value::no);
  EXPECT_THAT(needs_of(host, idle), ElementsAre(gpu_facts::gone(4711)));
  host.device_holders.clear();
  host.processes_error = Error{ErrorKind::denied, "only root can tell"};
  EXPECT_EQ(truth(host, idle), Truth::Value::unknown);
}

TEST(Gpus, EachHolderIsAskedToLetGoInItsOwnWay) {
  auto host = host_with_gpu();
  host.device_holders = {
      {10, "nvidia-persiste", "/system.slice/nvidia-persistenced.service", {"/dev/nvidia0"}}};
  const std::string device =
      "<hostdev mode='subsystem' type='pci' managed='no'><source>"
      "<address domain='0x0000' bus='0x41' slot='0x00' function='0x0'/></source></hostdev>";
  const auto xml = "<domain><name>whole</name><devices>" + device + "</devices></domain>";
  host.guests = {{"whole", {.name = "whole", .running = true, .definition = xml, .live = xml}}};
  EXPECT_THAT(needs_of(host, idle), ElementsAre(gpu_facts::without("whole", gpu_address),
                                                Fact{"unit/nvidia-persistenced.service", "inactive"}));
}

TEST(Gpus, AProcessOfNobodyIsNamedAsTheObstacle) {
  auto host = host_with_gpu();
  host.device_holders = {{4711, "python3", "/", {"/dev/nvidia0"}}};
  const auto kind = make_gpus({all()});
  const auto why = kind->obstacle(gpu_facts::gone(4711), *kind->observe(host.view()));
  EXPECT_THAT(why, HasSubstr("0000:41:00.0 is held by process python3 (pid 4711)"));
}

TEST(Gpus, AVgpuThatIsNotThereIsIdle) {
  EXPECT_EQ(truth(host_with_gpu(), gpu_facts::idle(Uuid{})), Truth::Value::yes);
}

TEST(Gpus, RemembersWhichGpuIsWhich) {
  auto fake = host_with_gpu();
  auto host = fake.host();
  const auto kind = make_gpus({all()});
  ASSERT_TRUE(kind->remember(*kind->observe(host.view), host));
  EXPECT_EQ(identity_record::load(fake)->at(0).uuid, "GPU-11111111-2222-3333-4444-555555555555");
  ASSERT_TRUE(kind->remember(*kind->observe(host.view), host));
  EXPECT_EQ(fake.writes, 1U);
  // Not where the document speaks of no GPU.
  auto other = host_with_gpu();
  auto other_host = other.host();
  const auto none = make_gpus({});
  ASSERT_TRUE(none->remember(*none->observe(other_host.view), other_host));
  EXPECT_EQ(other.writes, 0U);
}

}  // namespace
}  // namespace gpuhost::testing
