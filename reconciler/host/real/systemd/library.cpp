#include <new>

#include "host/real/systemd/bus_systemd.hpp"

/// The one name that libgpuhost-systemd.so exports; AdapterLibrary::Factory says what it does.
extern "C" [[gnu::visibility("default")]] gpuhost::Systemd* gpuhost_make_systemd() noexcept {
  return new (std::nothrow) gpuhost::BusSystemd;
}
