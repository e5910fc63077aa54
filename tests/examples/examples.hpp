#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "document/diagnostics.hpp"
#include "host/sim/host_file.hpp"
#include "host/sim/sim_host.hpp"
#include "kinds/registry.hpp"
#include "support/source_folder.hpp"

namespace gpuhost::testing {

inline const std::filesystem::path examples = source_folder() / "examples";

/// A document and the host it is for.
struct Example {
  std::string host;  ///< name of the file in examples/hosts, without ending
  std::filesystem::path document;
};

inline void PrintTo(const Example& example, std::ostream* out) {
  *out << example.document;
}

/// `folder`/HOST/*.yaml, in order of path.
inline std::vector<Example> examples_in(const std::filesystem::path& folder) {
  std::vector<Example> found;
  for (const auto& host : std::filesystem::directory_iterator(examples / "hosts"))
    if (const auto documents = folder / host.path().stem(); std::filesystem::is_directory(documents))
      for (const auto& document : std::filesystem::directory_iterator(documents))
        if (document.path().extension() == ".yaml") found.push_back({host.path().stem(), document.path()});
  std::ranges::sort(found, {}, &Example::document);
  return found;
}

inline std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline HostFile host_named(const std::string& name) {
  Diagnostics diagnostics;
  const auto source = diagnostics.add_source({name, text_of(examples / "hosts" / (name + ".yaml"))});
  auto host = decode_host_file(source, diagnostics);
  if (!host) throw std::runtime_error(diagnostics.render());
  return *std::move(host);
}

inline DecodedDocument document_from(const std::string& name, const std::string& text) {
  Diagnostics diagnostics;
  diagnostics.add_source({name, text});
  auto document = decode_document(diagnostics);
  if (!document) throw std::runtime_error(diagnostics.render());
  return *std::move(document);
}

inline DecodedDocument document_at(const std::filesystem::path& path) {
  return document_from(path.filename(), text_of(path));
}

/// Compares with the file under tests/cases/plans; GPUHOST_UPDATE_GOLDEN=1 writes it instead.
inline std::string expected_plan(const Example& example, const std::string& printed) {
  const auto path = source_folder() / "tests/cases/plans" / example.host /
                    example.document.filename().replace_extension(".txt");
  if (std::getenv("GPUHOST_UPDATE_GOLDEN") != nullptr) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << printed;
  }
  return text_of(path);
}

/// Names a test after its document.
inline std::string test_name(const Example& example) {
  std::string name = example.host + "_" + example.document.stem().string();
  for (char& c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  return name;
}

}  // namespace gpuhost::testing
