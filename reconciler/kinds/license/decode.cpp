#include "kinds/license/decode.hpp"

#include <array>

#include "document/formats.hpp"
#include "document/messages.hpp"

namespace gpuhost {

namespace formats {

const Format license_server{"a host name or address", "use letters, digits, '.', '-' and ':'",
                            [](std::string_view text) {
                              return text.size() <= 253 && is_word(text, ".-:") && !text.starts_with('-');
                            }};
const Format license_token{
    "an absolute path of plain characters",
    "begin it with '/', without '.', '..' or '//', and use letters, digits and /._-+@:,",
    [](std::string_view text) { return absolute_path.accepts(text) && is_word(text, "/._-+@:,"); }};

}  // namespace formats

namespace {

const Format feature_name{"the name of a licence feature", "write it as vws",
                          [](std::string_view text) { return formats::is_word(text, "-"); }};

/// All but the feature.
LicenseSpec decode_source(MapReader& reader) {
  const Value server = reader.at("server");
  const Value port = reader.at("port");
  const Value token_file = reader.at("tokenFile");
  LicenseSpec spec;
  spec.server = server.text(formats::license_server);
  spec.port = port.integer(1, highest_port);
  spec.token_file = token_file.text(formats::license_token);
  if (reader && !server && !token_file)
    reader.report(messages::missing_key, "one of 'server' and 'tokenFile' is missing");
  if (port && !server)
    reader.report(messages::missing_key, "the key 'server' is missing, 'port' belongs to it");
  return spec;
}

}  // namespace

std::optional<LicenseSpec> decode_guest_license(const Value& license) {
  if (!license) return std::nullopt;
  MapReader reader = license.mapping();
  auto spec = decode_source(reader);
  spec.feature = reader.required("feature").text(feature_name).value_or("");
  return spec;
}

std::optional<LicenseSpec> decode_host_license(const Value& license) {
  constexpr std::array<Word<const char*>, 1> features{{{workstation_feature, workstation_feature}}};
  if (!license) return std::nullopt;
  MapReader reader = license.mapping();
  auto spec = decode_source(reader);
  spec.feature = reader.required("feature").word<const char*>(features).value_or("");
  return spec;
}

}  // namespace gpuhost
