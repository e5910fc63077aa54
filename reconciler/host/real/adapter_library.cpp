#include "host/real/adapter_library.hpp"

#include <climits>

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

namespace gpuhost {

std::string installed_part(const std::string& file) {
  std::string program(PATH_MAX, '\0');
  const auto length = ::readlink("/proc/self/exe", program.data(), program.size());
  program.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
  const auto slash = program.rfind('/');
  const auto folder = program.substr(0, slash == std::string::npos ? 0 : slash);
  return fmt::format("{}/../lib/gpuhost/{}", folder, file);
}

std::string installed_adapter_library(const std::string& name) {
  return installed_part(fmt::format("libgpuhost-{}.so", name));
}

Result<void*> adapter_factory(const std::string& name, const std::string& path) {
  void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  void* const factory = library != nullptr ? ::dlsym(library, ("gpuhost_make_" + name).c_str()) : nullptr;
  if (factory == nullptr)
    return fail(
        ErrorKind::unavailable, fmt::format("cannot load the {} adapter: {}", name, ::dlerror()),
        fmt::format("install gpuhost completely, with the library that belongs beside the program and what "
                    "that needs ('ldd {}' tells what is missing)",
                    path));
  return factory;
}

}  // namespace gpuhost
