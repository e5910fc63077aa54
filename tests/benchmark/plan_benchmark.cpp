// Where the time of `gpuhost plan --host HOST -f DOCUMENT` goes, part by part:
//   plan_benchmark HOST DOCUMENT [Google Benchmark's options]

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include <benchmark/benchmark.h>

#include "document/diagnostics.hpp"
#include "engine/reconcile.hpp"
#include "host/memo_files.hpp"
#include "host/sim/host_file.hpp"
#include "host/sim/sim_host.hpp"
#include "kinds/registry.hpp"
#include "render/plan.hpp"

namespace gpuhost {
namespace {

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "plan_benchmark: %s\n", why.c_str());
  std::exit(1);
}

Source read_source(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) give_up("cannot read " + path);
  return {path, {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()}};
}

HostFile load_host(const Source& source) {
  Diagnostics diagnostics;
  auto host = decode_host_file(diagnostics.add_source(source), diagnostics);
  if (!host) give_up(diagnostics.render());
  return std::move(*host);
}

Desired load_document(const Source& source) {
  Diagnostics diagnostics;
  diagnostics.add_source(source);
  auto document = decode_document(diagnostics);
  if (!document) give_up(diagnostics.render());
  return std::move(document->desired);
}

Plan make(const Desired& desired, const HostView& host) {
  auto plan = plan_once(desired, host);
  if (!plan) give_up(plan.error().message);
  return std::move(*plan);
}

void register_parts(const Source& host, const Source& document) {
  benchmark::RegisterBenchmark("everything", [&](benchmark::State& state) {
    for (auto _ : state) {
      const SimHost sim(load_host(host));
      const Desired desired = load_document(document);
      benchmark::DoNotOptimize(plan_text(make(desired, sim.view()), Style{}));
    }
  });
  benchmark::RegisterBenchmark("load the host file", [&](benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(load_host(host));
  });
  benchmark::RegisterBenchmark("decode the document", [&](benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(load_document(document));
  });
  benchmark::RegisterBenchmark("observe", [&](benchmark::State& state) {
    const SimHost sim(load_host(host));
    const Desired desired = load_document(document);
    for (auto _ : state) benchmark::DoNotOptimize(observe_all(desired.kinds, sim.view()));
  });
  benchmark::RegisterBenchmark("observe and plan", [&](benchmark::State& state) {
    const SimHost sim(load_host(host));
    const Desired desired = load_document(document);
    for (auto _ : state) benchmark::DoNotOptimize(make(desired, sim.view()));
  });
  benchmark::RegisterBenchmark("render as text", [&](benchmark::State& state) {
    const SimHost sim(load_host(host));
    const Plan plan = make(load_document(document), sim.view());
    for (auto _ : state) benchmark::DoNotOptimize(plan_text(plan, Style{}));
  });
  benchmark::RegisterBenchmark("render as JSON", [&](benchmark::State& state) {
    const SimHost sim(load_host(host));
    const Plan plan = make(load_document(document), sim.view());
    for (auto _ : state) benchmark::DoNotOptimize(plan_json(plan).dump());
  });
}

}  // namespace
}  // namespace gpuhost

int main(int count, char** arguments) {
  benchmark::Initialize(&count, arguments);
  if (count != 3) gpuhost::give_up("needs a host file and a document");
  const auto host = gpuhost::read_source(arguments[1]);
  const auto document = gpuhost::read_source(arguments[2]);
  gpuhost::register_parts(host, document);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
