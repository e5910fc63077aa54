// usage: host_file_tool FOLDER FILE...
// Prints `valid` or `invalid` for each host file, in order, and writes the valid ones back to
// FOLDER/INDEX.yaml.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "host/sim/host_file.hpp"

int main(int argc, char** argv) {
  if (argc < 3) return 64;
  for (int i = 2; i < argc; ++i) {
    std::ostringstream text;
    text << std::ifstream(argv[i]).rdbuf();
    gpuhost::Diagnostics diagnostics;
    const auto host = gpuhost::decode_host_file(diagnostics.add_source({argv[i], text.str()}), diagnostics);
    std::cout << (host ? "valid" : "invalid") << "\n";
    std::cerr << diagnostics.render();
    const auto index = std::to_string(i - 2);
    if (host)
      std::ofstream(std::filesystem::path(argv[1]) / (index + ".yaml")) << gpuhost::write_host_file(*host);
  }
}
