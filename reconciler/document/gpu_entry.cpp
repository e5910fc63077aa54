#include "document/gpu_entry.hpp"

#include <array>

#include "document/formats.hpp"

namespace gpuhost {

namespace {

constexpr std::array<Word<GpuMode>, 3> mode_words{
    {{"vgpu", GpuMode::vgpu}, {"passthrough", GpuMode::passthrough}, {"bare-metal", GpuMode::bare_metal}}};

}  // namespace

std::string_view to_string(GpuMode mode) {
  return mode_words[static_cast<std::size_t>(mode)].text;
}

std::string GpuEntry::label() const {
  if (name) return name->value;
  return selector ? selector->to_string() : "?";
}

std::optional<Located<GpuMode>> decode_gpu_mode(MapReader& gpu) {
  const Value value = gpu.at("mode");
  const auto mode = value.word<GpuMode>(mode_words);
  return mode ? std::optional(Located{*mode, value.mark()}) : std::nullopt;
}

GpuEntry decode_gpu_entry(MapReader& gpu) {
  GpuEntry entry;
  entry.mark = gpu.mark();
  const Value name = gpu.at("name");
  if (auto text = name.text(formats::name)) entry.name = Located{std::move(*text), name.mark()};
  const Value match = gpu.required("match");
  entry.match_mark = match.mark();
  entry.selector = decode_selector(match);
  entry.mode = decode_gpu_mode(gpu);
  return entry;
}

}  // namespace gpuhost
