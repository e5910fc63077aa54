#include "kinds/guest_driver/decode.hpp"

#include "document/formats.hpp"
#include "document/messages.hpp"

namespace gpuhost {

std::optional<Located<GuestDriverSpec>> decode_guest_driver(MapReader& vm) {
  const Value value = vm.at("guestDriver");
  if (!value) return std::nullopt;
  MapReader reader = value.mapping();
  const Value release = reader.at("release");
  const Value version = reader.at("version");
  if (reader && !release && !version)
    reader.report(messages::missing_key, "one of 'release' and 'version' is missing");
  GuestDriverSpec spec{.release = {}, .version = {}, .source = decode_package_source(reader.at("source"))};
  if (auto text = release.text(formats::release)) spec.release = Located{*std::move(text), release.mark()};
  if (auto text = version.text(formats::driver_version))
    spec.version = Located{*std::move(text), version.mark()};
  return Located{std::move(spec), value.mark()};
}

}  // namespace gpuhost
