#include <cstdio>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "document/diagnostics.hpp"
#include "kinds/document_specs.hpp"
#include "kinds/host_limits.hpp"

// Reads each file as a document of its own, or with --limits first as a local.yaml. Prints "valid FILE" or
// "invalid FILE" for each, with the problems on standard error; with --keys next, the keys that the decoders
// know, as paths. Ends with 0 if all are valid, else 65.

namespace {

bool is_valid(const std::string& path, bool limits, std::set<std::string>* keys) {
  std::ifstream file(path, std::ios::binary);
  gpuhost::Diagnostics diagnostics;
  diagnostics.add_source({path, std::string(std::istreambuf_iterator<char>(file), {})});
  const bool valid = limits ? gpuhost::decode_host_limits(diagnostics, keys).has_value()
                            : gpuhost::decode_specs(diagnostics, keys).has_value();
  fmt::print(stderr, "{}", diagnostics.render());
  return valid;
}

}  // namespace

int main(int argc, char** argv) {
  int next = 1;
  const auto flag = [&](std::string_view name) { return next < argc && argv[next] == name && ++next > 0; };
  const bool limits = flag("--limits");
  const bool list_keys = flag("--keys");
  std::set<std::string> keys;
  bool all_valid = true;
  for (int i = next; i < argc; ++i) {
    const bool valid = is_valid(argv[i], limits, &keys);
    all_valid = all_valid && valid;
    if (!list_keys) fmt::print("{} {}\n", valid ? "valid" : "invalid", argv[i]);
  }
  if (list_keys)
    for (const auto& key : keys) fmt::print("{}\n", key);
  return all_valid ? 0 : 65;
}
