#include "kinds/vm_binding/decode.hpp"

#include <array>

#include "document/formats.hpp"
#include "document/messages.hpp"

namespace gpuhost {

namespace {

using Device = VmSpec::Device;
using Attach = VmSpec::Attach;
using State = VmSpec::State;

constexpr std::array<Word<Attach>, 2> attach_words{
    {{"next-start", Attach::next_start}, {"live", Attach::live}}};
constexpr std::array<Word<State>, 2> state_words{{{"running", State::running}, {"stopped", State::stopped}}};

/// A URI without a server part cannot leave the host: https://libvirt.org/uri.html, "Local hypervisor URIs".
bool is_local_connection(std::string_view text) {
  if (text == "qemu:///system" || text == "qemu:///session") return true;
  for (const std::string_view local : {"qemu:///embed?root=/", "test:///"})
    if (text.starts_with(local)) return formats::is_word(text.substr(local.size()), "/._-");
  return false;
}

const Format connection{"a local libvirt connection",
                        "write qemu:///system; other hosts are never managed from here", is_local_connection};
/// libvirt refuses '/' and line ends in names of domains.
const Format domain_name{"the name of a domain", "use printable text without '/'", [](std::string_view text) {
                           return formats::is_printable(text) && text.find('/') == std::string_view::npos;
                         }};

Device decode_device(const Value& item) {
  MapReader reader = item.mapping();
  Device device;
  const auto key = reader.exactly_one({"vgpu", "gpu"});
  if (!key) return device;
  const Value name = reader.at(*key);
  device.type = *key == "gpu" ? Device::Type::gpu : Device::Type::vgpu;
  device.name = {name.text(formats::printable).value_or(""), name.mark()};
  return device;
}

template <class E, std::size_t N>
std::optional<Located<E>> located_word(const Value& value, const std::array<Word<E>, N>& words) {
  const auto word = value.word<E>(words);
  return word ? std::optional(Located{*word, value.mark()}) : std::nullopt;
}

}  // namespace

VmSpec decode_vm(MapReader& vm) {
  VmSpec spec;
  const Value name = vm.required("name");
  spec.name = {name.text(domain_name).value_or(""), name.mark()};
  spec.connection = vm.at("connection").text(connection).value_or(spec.connection);
  const Value devices = vm.at("devices");
  if (const auto list = devices.list()) {
    spec.devices = Located{std::vector<Device>{}, devices.mark()};
    for (const auto& item : *list) spec.devices->value.push_back(decode_device(item));
  }
  const Value autostart = vm.at("autostart");
  spec.attach = located_word(vm.at("attach"), attach_words);
  spec.state = located_word(vm.at("state"), state_words);
  if (const auto on = autostart.boolean()) spec.autostart = Located{*on, autostart.mark()};
  return spec;
}

}  // namespace gpuhost
