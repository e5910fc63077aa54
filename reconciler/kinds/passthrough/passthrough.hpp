#pragma once

namespace gpuhost {

/// What happens to the audio and other functions of a board whose GPU is passed through.
struct PassthroughSpec {
  enum class Companions {
    bind,    ///< to vfio-pci, with the GPU
    attach,  ///< also to the virtual machine
  };
  Companions companions = Companions::bind;
};

}  // namespace gpuhost
