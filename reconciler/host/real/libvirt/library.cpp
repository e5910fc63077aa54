#include <new>

#include "host/real/libvirt/libvirt_domains.hpp"

/// The one name that libgpuhost-libvirt.so exports; AdapterLibrary::Factory says what it does.
extern "C" [[gnu::visibility("default")]] gpuhost::Libvirt* gpuhost_make_libvirt() noexcept {
  return new (std::nothrow) gpuhost::LibvirtDomains;
}
