#pragma once

#include <string>

#include <gtest/gtest.h>

#include "engine/ownership.hpp"
#include "support/memory_host.hpp"

namespace gpuhost::testing {

/// What stands in `Ownership::path` once it is stored.
inline std::string text_of(const Ownership& owned) {
  MemoryHost memory;
  auto host = memory.host();
  EXPECT_TRUE(owned.store(host.view.files, host.files));
  return memory.files().at(Ownership::path);
}

}  // namespace gpuhost::testing
