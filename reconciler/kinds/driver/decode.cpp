#include "kinds/driver/decode.hpp"

#include <array>

#include <fmt/format.h>

#include "document/formats.hpp"
#include "document/messages.hpp"

namespace gpuhost {

namespace {

using Flavor = DriverSpec::Flavor;
using Product = DriverSpec::Product;

constexpr std::array<Word<Flavor>, 4> flavor_words{{{"vgpu-manager", Flavor::vgpu_manager},
                                                    {"graphics", Flavor::graphics},
                                                    {"datacenter", Flavor::datacenter},
                                                    {"none", Flavor::none}}};
constexpr std::array<Word<Product>, 2> product_words{{{"vgpu", Product::vgpu}, {"nvaie", Product::nvaie}}};

}  // namespace

std::optional<DriverSpec> decode_driver(MapReader& document) {
  const Value value = document.at("driver");
  if (!value) return std::nullopt;
  MapReader reader = value.mapping();
  DriverSpec spec;
  const Value flavor = reader.required("flavor");
  if (const auto word = flavor.word<Flavor>(flavor_words)) spec.flavor = Located{*word, flavor.mark()};
  spec.product = reader.at("product").word<Product>(product_words);
  const Value release = reader.at("release");
  const Value version = reader.at("version");
  const Value source = reader.at("source");
  if (auto text = release.text(formats::release)) spec.release = Located{*std::move(text), release.mark()};
  if (auto text = version.text(formats::driver_version))
    spec.version = Located{*std::move(text), version.mark()};
  spec.source = decode_package_source(source);
  const bool none = spec.flavor && **spec.flavor == Flavor::none;
  if (source && !release && !version && !none)
    source.report(messages::missing_key, "one of 'release' and 'version' is missing",
                  "add the version that the source installs");
  if (none)
    for (const std::string_view key : {"product", "release", "version", "source"})
      if (const Value given = reader.at(key))
        given.report(messages::contradiction, fmt::format("'{}' says nothing about no driver", key),
                     "remove it, or choose another flavor", flavor.mark());
  return spec;
}

}  // namespace gpuhost
