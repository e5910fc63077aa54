#include "kinds/document_specs.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "document/formats.hpp"
#include "document/head.hpp"
#include "document/layouts.hpp"
#include "document/map_reader.hpp"
#include "document/merge.hpp"
#include "document/messages.hpp"
#include "document/yaml.hpp"
#include "engine/disruption.hpp"
#include "kinds/cross_checks.hpp"
#include "kinds/display_mode/decode.hpp"
#include "kinds/document_policy.hpp"
#include "kinds/driver/decode.hpp"
#include "kinds/ecc/decode.hpp"
#include "kinds/functions/decode.hpp"
#include "kinds/guest_driver/decode.hpp"
#include "kinds/kernel_modules/decode.hpp"
#include "kinds/kernel_parameters/decode.hpp"
#include "kinds/license/decode.hpp"
#include "kinds/mig/decode.hpp"
#include "kinds/passthrough/decode.hpp"
#include "kinds/units/decode.hpp"
#include "kinds/vgpu/decode.hpp"
#include "kinds/virtualization/decode.hpp"
#include "kinds/vm_binding/decode.hpp"

namespace gpuhost {

namespace {

constexpr std::size_t most_gpus = 64;
constexpr std::size_t most_vms = 4096;

/// The trees of all sources that are mappings; the others are reported.
std::vector<Node> parse_sources(Diagnostics& diagnostics) {
  std::vector<Node> trees;
  for (std::uint32_t source = 0; source < diagnostics.source_count(); ++source) {
    auto tree = parse_yaml(source, diagnostics);
    if (!tree) continue;
    if (tree->kind == Node::Kind::mapping)
      trees.push_back(std::move(*tree));
    else
      diagnostics.report(messages::wrong_type, tree->mark, "a document is a mapping",
                         "it begins with 'apiVersion: gpuhost/v1'");
  }
  return trees;
}

void decode_metadata(const Value& value, DocumentSpecs& specs) {
  MapReader metadata = value.mapping();
  specs.name = metadata.required("name").text(formats::name).value_or("");
  for (const auto& host : metadata.at("hosts").list().value_or(std::vector<Value>{}))
    if (auto glob = host.text(formats::printable)) specs.hosts.push_back(std::move(*glob));
  (void)metadata.at("overrides").boolean();  // merging has read and removed it, unless it is no truth value
}

/// The keys of an entry of `gpus` that a layout may have, too, each claimed by its kind.
void decode_gpu_parts(MapReader& gpu, GpuSpecs& specs) {
  specs.display_mode = decode_display_mode(gpu);
  specs.ecc = decode_ecc(gpu);
  specs.functions = decode_functions(gpu);
  specs.mig = decode_mig(gpu);
  specs.vgpu = decode_vgpu(gpu);
  specs.passthrough = decode_passthrough(gpu);
}

/// Layouts are decoded where they are used; this is for the problems of those that are not.
void check_layouts(const Layouts& layouts) {
  for (const auto& layout : layouts.all()) {
    if (!formats::name.accepts(layout.name))
      layout.key.report(messages::malformed, fmt::format("'{}' is not {}", layout.name, formats::name.what),
                        std::string(formats::name.advice));
    MapReader reader = layout.value.mapping();
    GpuSpecs specs;
    specs.entry.mode = decode_gpu_mode(reader);
    decode_gpu_parts(reader, specs);
  }
}

/// At most `most` items; one more is reported, and none yielded.
std::vector<Value> bounded_list(const Value& value, std::size_t most, std::string_view what) {
  auto list = value.list().value_or(std::vector<Value>{});
  if (list.size() <= most) return list;
  list[most].report(messages::too_many_entries,
                    fmt::format("{} {} are more than {}", list.size(), what, most));
  return {};
}

void decode_gpus(MapReader& document, Reading& reading, DocumentSpecs& specs) {
  const Layouts layouts(document.at("layouts"));
  check_layouts(layouts);
  for (const auto& item : bounded_list(document.at("gpus"), most_gpus, "entries of GPUs")) {
    const Node merged = layouts.applied_to(item, reading);
    MapReader reader = Value(&merged, item.path(), item.mark(), reading).mapping();
    (void)reader.at("layout");  // known, and used up already
    GpuSpecs& gpu = specs.gpus.emplace_back();
    gpu.entry = decode_gpu_entry(reader);
    decode_gpu_parts(reader, gpu);
  }
}

template <class T>
std::optional<Located<T>> located(std::optional<T> value, Mark mark) {
  return value ? std::optional(Located<T>{std::move(*value), mark}) : std::nullopt;
}

void decode_vms(MapReader& document, DocumentSpecs& specs) {
  for (const auto& item : bounded_list(document.at("vms"), most_vms, "virtual machines")) {
    MapReader reader = item.mapping();
    VmSpecs& vm = specs.vms.emplace_back();
    vm.vm = decode_vm(reader);
    vm.guest_driver = decode_guest_driver(reader);
    const Value license = reader.at("license");
    vm.license = located(decode_guest_license(license), license.mark());
  }
}

void decode_body(MapReader& document, Reading& reading, DocumentSpecs& specs) {
  decode_metadata(document.required("metadata"), specs);
  specs.policy = decode_policy(document.at("policy"));
  specs.virtualization = decode_virtualization(document);
  if (const Value kernel = document.at("kernel")) {
    MapReader reader = kernel.mapping();
    specs.kernel_parameters = decode_kernel_parameters(reader);
    specs.kernel_modules = decode_kernel_modules(reader);
  }
  specs.driver = located(decode_driver(document), document.at("driver").mark());
  const Value license = document.at("license");
  specs.license = located(decode_host_license(license), license.mark());
  decode_gpus(document, reading, specs);
  decode_vms(document, specs);
  specs.units = decode_units(document);
}

}  // namespace

std::optional<DocumentSpecs> decode_specs(Diagnostics& diagnostics, std::set<std::string>* known_keys) {
  constexpr std::array rules{LowestWins{"policy.disruption", disruption_words}};
  auto trees = parse_sources(diagnostics);
  if (trees.empty()) return std::nullopt;
  auto merged = merge_trees(std::move(trees), rules, diagnostics);

  Reading reading{diagnostics, known_keys};
  const Mark start = merged.root.mark;
  DocumentSpecs specs;
  {
    MapReader document(Value(&merged.root, {}, start, reading));
    if (check_head(document, "HostState"))
      decode_body(document, reading, specs);
    else
      document.claim_all();
  }
  check_across_kinds(specs, diagnostics);
  if (!diagnostics.empty()) return std::nullopt;
  specs.sha256 = std::move(merged.sha256);
  specs.overridden = std::move(merged.overridden);
  return specs;
}

}  // namespace gpuhost
