#include "kinds/license/decode.hpp"

#include "document/formats.hpp"
#include "document/messages.hpp"

namespace gpuhost {

namespace {

constexpr unsigned highest_port = 65535;

const Format server_name{
    "a host name or address", "use letters, digits, '.', '-' and ':'", [](std::string_view text) {
      return text.size() <= 253 && formats::is_word(text, ".-:") && !text.starts_with('-');
    }};
const Format feature_name{"the name of a licence feature", "write it as vws",
                          [](std::string_view text) { return formats::is_word(text, "-"); }};

}  // namespace

std::optional<LicenseSpec> decode_license(const Value& license) {
  if (!license) return std::nullopt;
  MapReader reader = license.mapping();
  const Value server = reader.at("server");
  const Value port = reader.at("port");
  const Value token_file = reader.at("tokenFile");
  LicenseSpec spec;
  spec.server = server.text(server_name);
  spec.port = port.integer(1, highest_port);
  spec.feature = reader.required("feature").text(feature_name).value_or("");
  spec.token_file = token_file.text(formats::absolute_path);
  if (reader && !server && !token_file)
    reader.report(messages::missing_key, "one of 'server' and 'tokenFile' is missing");
  if (port && !server)
    reader.report(messages::missing_key, "the key 'server' is missing, 'port' belongs to it");
  return spec;
}

}  // namespace gpuhost
