#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.hpp"
#include "examples/applying.hpp"
#include "examples/random.hpp"
#include "render/plan.hpp"

namespace gpuhost::testing {
namespace {

/// A document as its entries, so that they can be shuffled and dropped.
struct Draft {
  std::vector<std::string> parameters;
  std::vector<std::string> modules;
  std::vector<std::string> units;
  std::set<std::string> parameter_keys;  // with `_`
  std::set<std::string> module_names;    // with `_`
  std::set<std::string> unit_names;

  [[nodiscard]] std::string text() const {
    std::string all =
        "apiVersion: gpuhost/v1\nkind: HostState\nmetadata: {name: random}\npolicy: {disruption: reboot}\n";
    const auto section = [&](const char* head, const char* indent, const std::vector<std::string>& entries) {
      if (entries.empty()) return;
      all += head;
      for (const auto& entry : entries) all += indent + entry + "\n";
    };
    if (!parameters.empty() || !modules.empty()) all += "kernel:\n";
    section("  parameters:\n", "    ", parameters);
    section("  modules:\n", "    ", modules);
    section("units:\n", "  ", units);
    return all;
  }
};

/// Either spelling of a name: `-` and `_` are the same.
std::string spelled(Dice& dice, std::string name) {
  if (dice.one_in(2)) std::ranges::replace(name, '_', '-');
  return name;
}

void add_parameters(Dice& dice, Draft& draft) {
  static const std::vector<std::string> keys{"intel_iommu", "iommu",    "quiet",     "console",     "splash",
                                             "pcie_aspm",   "kvm.ig_x", "hugepages", "crashkernel", "rhgb"};
  static const std::vector<std::string> values{
      "on", "off", "pt", "1", "tty0", "ttyS0,115200", "10de:20b0,10de:1"};
  for (const auto& key : keys) {
    if (!dice.one_in(4)) continue;
    draft.parameter_keys.insert(underscored(key));
    const auto name = spelled(dice, key);
    switch (dice.below(4)) {
      case 0:
        draft.parameters.push_back(name + ": {state: absent}");
        break;
      case 1:
        draft.parameters.push_back(name + ": {state: present}");
        break;
      case 2:
        draft.parameters.push_back(
            fmt::format("{}: {{values: [\"{}\", \"{}\"]}}", name, dice.of(values), dice.of(values)));
        break;
      default:
        draft.parameters.push_back(fmt::format("{}: \"{}\"", name, dice.of(values)));
    }
  }
}

/// Neither a module that others need nor one that a boot brings back is asked to be unloaded: a run that
/// reboots would have to do it again, which the approved plan does not show.
void add_modules(Dice& dice, const HostFile& host, Draft& draft) {
  std::set<std::string> needed;
  for (const auto& [name, module] : host.modules) needed.insert(module.depends.begin(), module.depends.end());
  for (const auto& [name, module] : host.modules) {
    if (!dice.one_in(3)) continue;
    std::vector<std::string> states{"loaded"};
    if (!needed.contains(name)) states.emplace_back("blocked");
    if (!needed.contains(name) && !module.at_boot) states.emplace_back("unloaded");
    draft.module_names.insert(name);
    auto entry = fmt::format("{}: {{state: {}", spelled(dice, name), dice.of(states));
    if (!module.file.parameters.empty() && dice.one_in(2))
      entry += fmt::format(", options: {{{}: {}}}", dice.of(module.file.parameters), dice.below(2));
    draft.modules.push_back(entry + "}");
  }
}

/// Enabled is active: what only runs is down after a reboot.
void add_units(Dice& dice, const HostFile& host, Draft& draft) {
  for (const auto& [name, unit] : host.units) {
    if (!dice.one_in(3) || name.ends_with(".target") || unit.refuses_to_stop) continue;
    draft.unit_names.insert(name);
    const bool up = dice.one_in(2);
    draft.units.push_back(
        fmt::format("{}: {{enabled: {}, state: {}}}", name, up, up ? "active" : "inactive"));
  }
}

Draft random_draft(Dice& dice, const HostFile& host) {
  Draft draft;
  add_parameters(dice, draft);
  add_modules(dice, host, draft);
  add_units(dice, host, draft);
  return draft;
}

DecodedDocument document_of(const Draft& draft) {
  return document_from("random.yaml", draft.text());
}

DecodedDocument empty_document() {
  return document_of({});
}

/// The words of a text whose key the document does not name, in byte order: only among those of one key does
/// the order mean something.
std::vector<std::string> foreign_words(std::string text, const Draft& draft) {
  std::vector<std::string> kept;
  std::ranges::replace(text, '"', ' ');
  for (const auto word : words(text))
    if (!draft.parameter_keys.contains(underscored(word.substr(0, word.find('='))))) kept.emplace_back(word);
  std::ranges::sort(kept);
  return kept;
}

std::string text_at(const HostFile& host, const std::string& path) {
  const auto found = host.files.find(path);
  const auto* text = found == host.files.end() ? nullptr : std::get_if<HostFile::Text>(&found->second);
  return text ? text->content : std::string{};
}

bool holds_words(const std::string& path) {
  return path == "/proc/cmdline" || path == "/etc/kernel/cmdline" || path == "/etc/default/grub" ||
         path.starts_with("/boot/");
}

bool is_gpuhosts(const std::string& path) {
  return path.starts_with("/var/lib/gpuhost") || path.starts_with("/run/") || path.contains("gpuhost");
}

/// What a boot changes, or the kernel shows of modules.
bool is_runtime(const std::string& path) {
  return path.starts_with("/sys/") || path == "/proc/modules" || path == "/proc/sys/kernel/random/boot_id";
}

std::set<std::string> paths_of(const HostFile& a, const HostFile& b) {
  std::set<std::string> paths;
  for (const auto* host : {&a, &b})
    for (const auto& [path, entry] : host->files)
      if (!is_gpuhosts(path) && !is_runtime(path)) paths.insert(path);
  return paths;
}

class Properties : public ::testing::TestWithParam<std::string> {
 protected:
  HostFile before = host_named(GetParam());

  /// Runs `check(draft, dice)` with a random draft for the host, for many seeds.
  template <class Check>
  void for_drafts(Check check) {
    for_seeds(50, [&](Dice& dice) {
      const auto draft = random_draft(dice, before);
      SCOPED_TRACE(draft.text());
      check(draft, dice);
    });
  }
};

TEST_P(Properties, ApplyConvergesOrIsRefusedUntouchedAndASecondApplyWritesNothing) {
  unsigned converged = 0;
  for_drafts([&](const Draft& draft, Dice&) {
    const auto document = document_of(draft);
    SimHost sim(before);
    const auto plan = plan_once(document.desired, sim.view());
    ASSERT_TRUE(plan.has_value());
    const auto report = apply(document, sim);
    if (!plan->applyable()) {
      EXPECT_EQ(report.result, RunReport::Result::refused);
      EXPECT_THAT(writes(sim), ::testing::IsEmpty());
      return;
    }
    ++converged;
    ASSERT_EQ(report.result, RunReport::Result::converged) << ::testing::PrintToString(report.errors);
    const auto after = plan_once(document.desired, sim.view());
    ASSERT_TRUE(after.has_value());
    EXPECT_TRUE(after->empty()) << plan_text(*after, {});
    for (const auto& finding : after->findings)
      EXPECT_EQ(finding.verdict, Finding::Verdict::in_sync) << finding.address << " " << finding.reason;
    const auto written = writes(sim).size();
    EXPECT_EQ(apply(document, sim).result, RunReport::Result::converged);
    EXPECT_EQ(writes(sim).size(), written);
  });
  EXPECT_TRUE(std::getenv("GPUHOST_SEED") != nullptr || converged > 0);
}

TEST_P(Properties, TheOrderOfEntriesDoesNotMatter) {
  for_drafts([&](const Draft& draft, Dice& dice) {
    auto shuffled = draft;
    dice.shuffle(shuffled.parameters);
    dice.shuffle(shuffled.modules);
    dice.shuffle(shuffled.units);
    const SimHost sim(before);
    const auto one = plan_once(document_of(draft).desired, sim.view());
    const auto other = plan_once(document_of(shuffled).desired, sim.view());
    ASSERT_TRUE(one && other);
    EXPECT_EQ(plan_text(*one, {}), plan_text(*other, {}));
  });
}

TEST_P(Properties, WhatIsNotNamedStaysAsItIs) {
  for_drafts([&](const Draft& draft, Dice&) {
    SimHost sim(before);
    if (apply(document_of(draft), sim).result != RunReport::Result::converged) return;
    const auto& after = sim.file();
    for (const auto& path : paths_of(before, after)) {
      const auto compared = holds_words(path) ? draft : Draft{};
      EXPECT_EQ(foreign_words(text_at(after, path), compared), foreign_words(text_at(before, path), compared))
          << path;
    }
    for (const auto& [name, unit] : before.units)
      if (!draft.unit_names.contains(name)) {
        EXPECT_EQ(after.units.at(name).state.unit_file_state, unit.state.unit_file_state) << name;
      }
  });
}

TEST_P(Properties, DroppingEverythingGivesAllBack) {
  for_drafts([&](const Draft& draft, Dice&) {
    SimHost sim(before);
    if (apply(document_of(draft), sim).result != RunReport::Result::converged) return;
    const auto report = apply(empty_document(), sim);
    ASSERT_EQ(report.result, RunReport::Result::converged) << ::testing::PrintToString(report.errors);
    EXPECT_TRUE(Ownership::load(sim.view().files)->empty());
    const auto written = writes(sim).size();
    EXPECT_EQ(apply(empty_document(), sim).result, RunReport::Result::converged);
    EXPECT_EQ(writes(sim).size(), written);
    // Modules and units come up as the files say.
    SimHost untouched(before);
    ASSERT_TRUE(sim.reboot());
    ASSERT_TRUE(untouched.reboot());
    const auto& now = sim.file();
    const auto& then = untouched.file();
    for (const auto& path : paths_of(then, now)) {
      EXPECT_EQ(foreign_words(text_at(now, path), {}), foreign_words(text_at(then, path), {})) << path;
    }
    for (const auto& [name, unit] : then.units) EXPECT_EQ(now.units.at(name).state, unit.state) << name;
    for (const auto& [name, module] : then.modules)
      EXPECT_EQ(now.modules.at(name).loaded.has_value(), module.loaded.has_value()) << name;
    for (const auto& [path, entry] : now.files)
      EXPECT_FALSE(path.contains("gpuhost") && !path.starts_with("/var/lib/gpuhost")) << path;
  });
}

/// From one document to another, as an edited one does, and back to nothing.
TEST_P(Properties, OneDocumentAfterAnotherConvergesAndIsGivenBack) {
  for_drafts([&](const Draft& draft, Dice& dice) {
    SimHost sim(before);
    if (apply(document_of(draft), sim).result != RunReport::Result::converged) return;
    const auto edited = random_draft(dice, before);
    SCOPED_TRACE(edited.text());
    const auto next = document_of(edited);
    const auto second = apply(next, sim);
    if (second.result == RunReport::Result::refused) return;
    ASSERT_EQ(second.result, RunReport::Result::converged) << ::testing::PrintToString(second.errors);
    EXPECT_TRUE(plan_once(next.desired, sim.view())->empty());
    const auto last = apply(empty_document(), sim);
    ASSERT_EQ(last.result, RunReport::Result::converged) << ::testing::PrintToString(last.errors);
    EXPECT_TRUE(Ownership::load(sim.view().files)->empty());
    SimHost untouched(before);
    ASSERT_TRUE(untouched.reboot());
    EXPECT_EQ(foreign_words(text_at(sim.file(), "/proc/cmdline"), {}),
              foreign_words(text_at(untouched.file(), "/proc/cmdline"), {}));
  });
}

/// One write fails, and the document is dropped before it is applied again: nothing of it may stay. Not of
/// steps that write several files: a step that failed half-way owns nothing, see AFailedStepOwnsNothing.
TEST_P(Properties, WhatAFailedRunLeftIsGivenBackToo) {
  for_drafts([&](const Draft& draft, Dice& dice) {
    SimHost whole(before);
    if (apply(document_of(draft), whole).result != RunReport::Result::converged) return;
    const auto calls = writes(whole);
    if (calls.empty()) return;
    const auto& call = dice.of(calls);
    SCOPED_TRACE("fails: " + call);
    SimHost sim(before);
    sim.inject(call, 1, {ErrorKind::io, "injected"});
    const auto failed = apply(document_of(draft), sim).result;
    EXPECT_TRUE(failed == RunReport::Result::failed || failed == RunReport::Result::undone);
    const auto report = apply(empty_document(), sim);
    ASSERT_EQ(report.result, RunReport::Result::converged) << ::testing::PrintToString(report.errors);
    EXPECT_TRUE(Ownership::load(sim.view().files)->empty());
    ASSERT_TRUE(sim.reboot());
    SimHost untouched(before);
    ASSERT_TRUE(untouched.reboot());
    for (const auto& path : paths_of(untouched.file(), sim.file()))
      EXPECT_EQ(foreign_words(text_at(sim.file(), path), {}),
                foreign_words(text_at(untouched.file(), path), {}))
          << path;
    for (const auto& [path, entry] : sim.file().files)
      EXPECT_FALSE(path.contains("gpuhost") && !path.starts_with("/var/lib/gpuhost")) << path;
  });
}

DecodedDocument named(Draft draft, const std::string& name) {
  auto text = draft.text();
  text.replace(text.find("name: random"), std::string("name: random").size(), "name: " + name);
  return document_from(name + ".yaml", text);
}

/// Two documents with different objects: dropping one takes nothing from the other.
TEST_P(Properties, OfTwoDocumentsEachKeepsItsOwn) {
  for_drafts([&](const Draft& draft, Dice& dice) {
    Draft one;
    Draft two;
    const auto deal = [&](std::vector<std::string> Draft::* entries) {
      for (const auto& entry : draft.*entries) ((dice.one_in(2) ? one : two).*entries).push_back(entry);
    };
    deal(&Draft::parameters);
    deal(&Draft::units);
    deal(&Draft::modules);
    SimHost sim(before);
    const auto first = named(one, "one");
    const auto second = named(two, "two");
    if (apply(first, sim).result != RunReport::Result::converged) return;
    if (apply(second, sim).result != RunReport::Result::converged) return;
    EXPECT_TRUE(plan_once(first.desired, sim.view())->empty());
    ASSERT_EQ(apply(named({}, "one"), sim).result, RunReport::Result::converged);
    const auto left = plan_once(second.desired, sim.view());
    EXPECT_TRUE(left->empty()) << plan_text(*left, {});
    ASSERT_EQ(apply(named({}, "two"), sim).result, RunReport::Result::converged);
    EXPECT_TRUE(Ownership::load(sim.view().files)->empty());
  });
}

INSTANTIATE_TEST_SUITE_P(Hosts, Properties, ::testing::Values("fresh-debian", "fresh-rhel", "fresh-proxmox"),
                         [](const auto& host) {
                           std::string name = host.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace gpuhost::testing
