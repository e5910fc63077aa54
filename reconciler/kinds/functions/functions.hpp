#pragma once

namespace gpuhost {

/// SR-IOV virtual functions of a GPU.
struct FunctionsSpec {
  bool enabled = true;
};

}  // namespace gpuhost
