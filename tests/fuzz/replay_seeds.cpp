// Stands in for libFuzzer where the compiler has none: runs the target over every file below the given
// folders, and over beginnings of it, since parsers go wrong at the end of their input.

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

void run_file(const std::filesystem::path& path) {
  constexpr std::size_t beginnings = 16;
  std::ifstream file(path, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  run(content);
  for (std::size_t part = 0; part < beginnings; ++part)
    run(content.substr(0, content.size() * part / beginnings));
}

}  // namespace

int main(int count, char** arguments) {
  std::size_t files = 0;
  run({});
  for (int index = 1; index < count; ++index) {
    if (!std::filesystem::is_directory(arguments[index])) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(arguments[index])) {
      if (!entry.is_regular_file()) continue;
      run_file(entry.path());
      ++files;
    }
  }
  std::printf("%zu seeds\n", files);
  return files == 0 ? 1 : 0;
}
