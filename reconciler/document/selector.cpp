#include "document/selector.hpp"

#include <algorithm>
#include <array>

#include "base/pci_address.hpp"
#include "base/text.hpp"
#include "base/uuid.hpp"
#include "document/formats.hpp"
#include "document/messages.hpp"

namespace gpuhost {

namespace {

using By = GpuSelector::By;

constexpr unsigned most_gpus = 64;

constexpr std::array<Word<GpuSelector::Missing>, 2> missing_words{
    {{"refuse", GpuSelector::Missing::refuse}, {"skip", GpuSelector::Missing::skip}}};

bool is_hex_pair(std::string_view text) {
  const auto half = [](std::string_view digits) {
    return digits.size() == 4 && digits.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
  };
  return text.size() == 9 && text[4] == ':' && half(text.substr(0, 4)) && half(text.substr(5));
}

/// What a function shows that has no subsystem ids. Source: PCI Local Bus Specification 3.0, section 6.2.4.
constexpr std::string_view no_subsystem = "0000:0000";

/// VENDOR:DEVICE, or VENDOR:DEVICE/SUBVENDOR:SUBDEVICE; 10de is NVIDIA's vendor id.
bool is_pci_id(std::string_view text) {
  const auto parts = split(text, '/');
  return parts.size() <= 2 && std::ranges::all_of(parts, is_hex_pair) &&
         lower_case(parts[0]).starts_with("10de:") && parts.back() != no_subsystem;
}

std::string_view without_gpu_prefix(std::string_view uuid) {
  if (uuid.starts_with("GPU-")) uuid.remove_prefix(4);
  return uuid;
}

const Format pci_id{"the PCI id of an NVIDIA GPU",
                    "write it as \"10de:20b0\" or \"10de:20b0/10de:134f\", as lspci -nnv prints them",
                    is_pci_id};
const Format gpu_uuid{
    "a GPU's UUID", "write it as nvidia-smi -L prints it: GPU-8-4-4-4-12 hexadecimal digits",
    [](std::string_view text) { return Uuid::parse(without_gpu_prefix(text)).has_value(); }};

void decode_one(MapReader& match, const std::string& key, GpuSelector& selector) {
  const Value value = match.at(key);
  if (key == "address") {
    selector.by = By::address;
    if (const auto text = value.text(formats::pci_address))
      selector.value = PciAddress::parse(*text)->to_string();
  } else if (key == "pciId") {
    selector.by = By::pci_id;
    selector.value = lower_case(value.text(pci_id).value_or(""));
  } else if (key == "uuid") {
    selector.by = By::uuid;
    if (const auto text = value.text(gpu_uuid))
      selector.value = Uuid::parse(without_gpu_prefix(*text))->to_string();
  } else if (key == "all") {
    selector.by = By::all;
    if (const auto all = value.boolean(); all && !*all)
      value.report(messages::contradiction, "'all: false' selects no GPU", "remove the entry");
  } else {
    selector.by = key == "slot" ? By::slot : key == "model" ? By::model : By::serial;
    selector.value = value.text(formats::printable).value_or("");
  }
}

}  // namespace

bool GpuSelector::may_match_several() const {
  return by == By::pci_id || by == By::model || by == By::all;
}

std::string GpuSelector::to_string() const {
  return by == By::all ? "all" : value;
}

std::optional<GpuSelector> decode_selector(const Value& match) {
  MapReader reader = match.mapping();
  GpuSelector selector;
  const auto key = reader.exactly_one({"address", "pciId", "slot", "model", "uuid", "serial", "all"});
  if (key) decode_one(reader, *key, selector);
  if (const Value expect = reader.at("expect")) {
    selector.expect = expect.integer(1, most_gpus);
    if (key && !selector.may_match_several() && selector.expect.value_or(1) != 1)
      expect.report(messages::contradiction, "'" + *key + "' matches one GPU at most",
                    "remove 'expect', or select by pciId, model or all");
  }
  selector.missing =
      reader.at("missing").word<GpuSelector::Missing>(missing_words).value_or(selector.missing);
  if (!key || (selector.by != By::all && selector.value.empty())) return std::nullopt;
  return selector;
}

}  // namespace gpuhost
