#include "host/state_record.hpp"

#include <array>

#include <gtest/gtest.h>

#include "support/memory_host.hpp"

namespace gpuhost::testing {
namespace {

constexpr const char* path = "/var/lib/gpuhost/made-up.json";

bool rename_size(Json& record) {
  if (!record.contains("size")) return false;
  record["bytes"] = record["size"];
  record.erase("size");
  return true;
}

bool add_unit(Json& record) {
  record["unit"] = "B";
  return true;
}

constexpr std::array<StateRecord::Migration, 2> migrations{rename_size, add_unit};
constexpr StateRecord file{path, "remove it", migrations};

TEST(StateRecord, WhatIsNotThereIsNull) {
  MemoryHost memory;
  const auto record = file.read(memory.host().view.files);
  ASSERT_TRUE(record.has_value());
  EXPECT_TRUE(record->is_null());
}

TEST(StateRecord, ReadsEachOlderFormatAsTodays) {
  const Json today{{"format_version", 3}, {"bytes", 7}, {"unit", "B"}};
  for (const char* written : {R"({"format_version": 1, "size": 7})", R"({"format_version": 2, "bytes": 7})",
                              R"({"format_version": 3, "bytes": 7, "unit": "B"})"}) {
    MemoryHost memory;
    memory.put(path, written);
    const auto record = file.read(memory.host().view.files);
    ASSERT_TRUE(record.has_value()) << written;
    EXPECT_EQ(*record, today) << written;
    EXPECT_EQ(memory.writes(), 0U) << "reading migrates nothing on disk";
  }
}

TEST(StateRecord, KeepsTheOlderFileWhenItIsReplaced) {
  MemoryHost memory;
  auto host = memory.host();
  const std::string old = R"({"format_version": 1, "size": 7})";
  memory.put(path, old);
  ASSERT_TRUE(file.write(host.view.files, host.files, {{"bytes", 8}, {"unit", "B"}}));
  EXPECT_EQ(memory.files().at(std::string(path) + ".v1"), old);
  ASSERT_TRUE(file.write(host.view.files, host.files, {{"bytes", 9}, {"unit", "B"}}));
  EXPECT_EQ(memory.files().size(), 2U) << "one of today's is not kept";
  EXPECT_EQ((*file.read(host.view.files))["bytes"], 9);
}

TEST(StateRecord, OneOfANewerGpuhostIsStale) {
  MemoryHost memory;
  memory.put(path, R"({"format_version": 4})");
  EXPECT_EQ(file.read(memory.host().view.files).error().kind, ErrorKind::stale);
}

TEST(StateRecord, WhatIsNoRecordIsInvalidAndSaysWhatToDo) {
  for (const char* damaged : {"", "[]", "{}", "{\"format_version\": \"1\"}", R"({"format_version": 0})",
                              R"({"format_version": 1})", "\x01"}) {
    MemoryHost memory;
    memory.put(path, damaged);
    const auto record = file.read(memory.host().view.files);
    ASSERT_FALSE(record.has_value()) << damaged;
    EXPECT_EQ(record.error().kind, ErrorKind::invalid) << damaged;
    EXPECT_EQ(record.error().advice, "remove it");
  }
}

}  // namespace
}  // namespace gpuhost::testing
