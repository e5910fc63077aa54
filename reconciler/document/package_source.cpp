#include "document/package_source.hpp"

#include <algorithm>

#include "document/formats.hpp"
#include "document/messages.hpp"

namespace gpuhost {

namespace {

/// Debian policy 5.6.7 and RPM's names; never an option of the package tool.
const Format package_name{"the name of a package",
                          "use letters, digits and + - . _, the first a letter or digit",
                          [](std::string_view text) {
                            return formats::is_word(text, "+-._") && formats::is_word(text.substr(0, 1), "");
                          }};

}  // namespace

std::optional<PackageSource> decode_package_source(const Value& source) {
  using Form = PackageSource::Form;
  if (!source) return std::nullopt;
  MapReader reader = source.mapping();
  const auto key = reader.exactly_one({"runfile", "package", "deb", "rpm"});
  const Value digest = reader.at("sha256");
  if (!key) return std::nullopt;

  PackageSource decoded;
  decoded.form = *key == "runfile"   ? Form::runfile
                 : *key == "package" ? Form::package
                 : *key == "deb"     ? Form::deb
                                     : Form::rpm;
  const bool is_file = decoded.form != Form::package;
  const auto what = reader.at(*key).text(is_file ? formats::absolute_path : package_name);
  if (is_file && !digest)
    reader.report(messages::missing_key, "the key 'sha256' is missing",
                  "add what sha256sum prints for the file");
  if (!is_file && digest)
    digest.report(messages::contradiction, "'sha256' is for files; a package comes from its repository",
                  "remove it, or give the file as deb or rpm");
  auto sum = digest.text(formats::sha256);
  if (!what || (is_file && !sum)) return std::nullopt;
  decoded.what = *what;
  if (sum && is_file) {
    decoded.sha256 = *sum;
    std::ranges::transform(decoded.sha256, decoded.sha256.begin(),
                           [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c; });
  }
  return decoded;
}

}  // namespace gpuhost
