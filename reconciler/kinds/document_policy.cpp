#include "kinds/document_policy.hpp"

#include <array>

#include "document/formats.hpp"

namespace gpuhost {

namespace {

using StopMethod = Policy::StopMethod;
using AfterTimeout = Policy::AfterTimeout;

constexpr std::chrono::seconds shortest_stop{1};
constexpr std::chrono::seconds longest_stop = std::chrono::hours(24);

constexpr std::array<Word<StopMethod>, 2> method_words{
    {{"shutdown", StopMethod::shutdown}, {"managed-save", StopMethod::managed_save}}};
constexpr std::array<Word<AfterTimeout>, 2> then_words{
    {{"refuse", AfterTimeout::refuse}, {"destroy", AfterTimeout::destroy}}};

constexpr auto level_words = [] {
  std::array<Word<Disruption>, disruption_words.size()> words{};
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = {disruption_words[i], static_cast<Disruption>(i)};
  return words;
}();

std::vector<Value> items(const Value& list) {
  return list.list().value_or(std::vector<Value>{});
}

}  // namespace

std::optional<Disruption> decode_disruption(const Value& level) {
  return level.word<Disruption>(level_words);
}

void decode_protect(const Value& protect, std::set<std::string>& vms, std::set<PciAddress>& gpus) {
  if (!protect) return;
  MapReader named = protect.mapping();
  for (const auto& vm : items(named.at("vms")))
    if (auto name = vm.text(formats::printable)) vms.insert(std::move(*name));
  for (const auto& gpu : items(named.at("gpus")))
    if (const auto address = gpu.text(formats::pci_address)) gpus.insert(*PciAddress::parse(*address));
}

Policy decode_policy(const Value& policy) {
  Policy decoded;
  if (!policy) return decoded;
  MapReader reader = policy.mapping();
  decoded.disruption = decode_disruption(reader.at("disruption")).value_or(decoded.disruption);
  decode_protect(reader.at("protect"), decoded.protected_vms, decoded.protected_gpus);
  if (const Value stop = reader.at("guestStop")) {
    MapReader how = stop.mapping();
    decoded.guest_stop_method =
        how.at("method").word<StopMethod>(method_words).value_or(decoded.guest_stop_method);
    decoded.guest_stop_timeout =
        how.at("timeout").duration(shortest_stop, longest_stop).value_or(decoded.guest_stop_timeout);
    decoded.guest_stop_then = how.at("then").word<AfterTimeout>(then_words).value_or(decoded.guest_stop_then);
  }
  return decoded;
}

}  // namespace gpuhost
