#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/sha256.hpp"
#include "engine/kind.hpp"
#include "host/host.hpp"
#include "support/no_agents.hpp"
#include "support/no_gpus.hpp"

namespace gpuhost::testing {

/// A host of maps: what is put in is what is read. Commands do what `on_command` says.
class FakeHost final : public FileReader,
                       public FileWriter,
                       public ModuleReader,
                       public ModuleWriter,
                       public UnitReader,
                       public UnitWriter,
                       public CommandRunner,
                       public DomainReader,
                       public DomainWriter,
                       public ProcessReader,
                       public Waiter,
                       public Clock {
 public:
  std::map<std::string, std::string> files;
  std::map<std::string, std::string> links;
  std::set<std::string> directories;
  std::map<std::string, Error> errors;  ///< what a path answers instead
  std::map<std::string, LoadedModule> loaded_modules;
  std::map<std::string, ModuleFile> module_files;
  std::optional<Error> modules_error;
  std::map<std::string, UnitState> units;
  std::optional<Error> units_error;
  std::function<CommandResult(const Command&)> on_command = [](const Command&) { return CommandResult{}; };
  std::vector<std::string> commands;
  /// What the kernel makes of an attribute that is written. Nothing: the text is what is read then.
  std::function<Result<void>(const std::string& path, std::string_view text)> on_attribute;
  std::function<void()> on_wait = [] {};  ///< what happens while somebody waits
  unsigned writes = 0;
  bool running = true;

  /// By name, whatever the connection. Nothing: libvirt cannot be reached.
  std::optional<std::map<std::string, Domain>> guests;
  std::vector<std::string> guest_calls;  ///< "define train-01", "shut_down train-01 180"
  std::function<Result<void>(const std::string&)> on_guest_call = [](const std::string&) {
    return Result<void>{};
  };
  std::vector<Process> device_holders;
  std::optional<Error> processes_error;
  NoAgents no_agents;
  NoGpus no_gpus;

  [[nodiscard]] HostView view() const { return {*this, *this, *this, *this, *this, no_gpus, *this, running}; }
  [[nodiscard]] Host host() { return {view(), *this, *this, *this, *this, no_agents, no_gpus, *this, *this}; }

  Result<std::vector<Domain>> domains(const std::string&) const override {
    if (!guests) return fail(ErrorKind::unavailable, "libvirt cannot be reached");
    std::vector<Domain> all;
    for (const auto& [name, domain] : *guests) all.push_back(without_secrets(domain));
    return all;
  }
  Result<Domain> domain(const std::string&, const std::string& name) const override {
    if (!guests) return fail(ErrorKind::unavailable, "libvirt cannot be reached");
    if (const auto found = guests->find(name); found != guests->end()) return without_secrets(found->second);
    return fail(ErrorKind::not_found, "no domain " + name);
  }
  Result<std::string> full_definition(const std::string& connection, const std::string& name) override {
    if (auto found = domain(connection, name); !found) return fail(std::move(found));
    return guests->at(name).definition;
  }
  Result<void> define(const std::string&, const std::string& xml) override {
    const auto begin = xml.find("<name>") + 6;
    const auto name = xml.substr(begin, xml.find("</name>") - begin);
    return guest(name, "define " + name, [&](Domain& domain) { domain.definition = xml; });
  }
  Result<void> start(const std::string&, const std::string& name) override {
    return guest(name, "start " + name, [](Domain& domain) {
      domain.running = true;
      domain.live = domain.definition;
    });
  }
  Result<void> shut_down(const std::string&, const std::string& name, std::chrono::seconds limit) override {
    return guest(name, "shut_down " + name + " " + std::to_string(limit.count()), &FakeHost::turn_off);
  }
  Result<void> managed_save(const std::string&, const std::string& name) override {
    return guest(name, "managed_save " + name, &FakeHost::turn_off);
  }
  Result<void> destroy(const std::string&, const std::string& name) override {
    return guest(name, "destroy " + name, &FakeHost::turn_off);
  }
  Result<void> set_autostart(const std::string&, const std::string& name, bool on) override {
    return guest(name, "set_autostart " + name + (on ? " on" : " off"),
                 [&](Domain& domain) { domain.autostart = on; });
  }
  Result<void> attach(const std::string&, const std::string& name, const std::string& xml) override {
    return guest(name, "attach " + name + " " + xml,
                 [&](Domain& domain) { domain.live.insert(domain.live.find("</devices>"), xml); });
  }
  Result<void> detach(const std::string&, const std::string& name, const std::string& xml,
                      std::chrono::seconds) override {
    return guest(name, "detach " + name + " " + xml, [&](Domain& domain) {
      if (const auto at = domain.live.find(xml); at != std::string::npos) domain.live.erase(at, xml.size());
    });
  }
  Result<std::vector<Process>> device_users() const override {
    if (processes_error) return std::unexpected(*processes_error);
    return device_holders;
  }
  bool until(const std::function<bool()>& done, std::chrono::seconds) override {
    if (done()) return true;
    on_wait();
    return done();
  }

  Result<std::string> read(const std::string& path) const override {
    if (const auto error = errors.find(path); error != errors.end()) return std::unexpected(error->second);
    if (const auto file = files.find(path); file != files.end()) return file->second;
    return missing(path);
  }
  Result<std::vector<std::string>> list(const std::string& path) const override {
    if (const auto error = errors.find(path); error != errors.end()) return std::unexpected(error->second);
    std::set<std::string> names;
    const auto below = [&](const std::string& entry) {
      if (entry.starts_with(path + "/"))
        names.insert(entry.substr(path.size() + 1, entry.find('/', path.size() + 1) - path.size() - 1));
    };
    for (const auto& [entry, text] : files) below(entry);
    for (const auto& [entry, target] : links) below(entry);
    for (const auto& entry : directories) below(entry);
    if (names.empty() && !directories.contains(path)) return missing(path);
    return std::vector<std::string>(names.begin(), names.end());
  }
  Result<std::string> link_target(const std::string& path) const override {
    // invalid: of what the link leads to, which has no content to read.
    const auto error = errors.find(path);
    if (error != errors.end() && error->second.kind != ErrorKind::invalid)
      return std::unexpected(error->second);
    if (const auto link = links.find(path); link != links.end()) return link->second;
    return missing(path);
  }
  Result<FileStatus> status(const std::string& path) const override {
    if (const auto error = errors.find(path); error != errors.end()) return std::unexpected(error->second);
    if (files.contains(path)) return FileStatus{};
    if (list(path)) return FileStatus{.type = FileStatus::Type::directory};
    return missing(path);
  }
  Result<std::string> digest(const std::string& path) const override {
    const auto content = read(path);
    return content ? sha256(*content) : content;
  }
  Result<void> write_attribute(const std::string& path, std::string_view text) override {
    if (!on_attribute) return replace(path, text, 0);
    ++writes;
    return on_attribute(path, text);
  }
  Result<void> replace(const std::string& path, std::string_view content, unsigned) override {
    ++writes;
    files[path] = content;
    return {};
  }
  Result<void> append(const std::string& path, std::string_view text) override {
    ++writes;
    files[path] += text;
    return {};
  }
  Result<void> copy(const std::string& from, const std::string& to, const std::string& wanted) override {
    const auto found = digest(from);
    if (!found) return std::unexpected(found.error());
    if (*found != wanted) return std::unexpected(other_digest(from, wanted, *found));
    return replace(to, files.at(from), 0600);
  }
  Result<void> remove(const std::string& path) override {
    ++writes;
    files.erase(path);
    return {};
  }
  Result<std::map<std::string, LoadedModule>> loaded() const override {
    if (modules_error) return std::unexpected(*modules_error);
    return loaded_modules;
  }
  Result<ModuleFile> available(const std::string& name) const override {
    if (modules_error) return std::unexpected(*modules_error);
    if (const auto file = module_files.find(name); file != module_files.end()) return file->second;
    return fail(ErrorKind::not_found, "the running kernel has no module " + name);
  }
  Result<void> load(const std::string& name) override {
    loaded_modules[name];
    return {};
  }
  Result<void> load_again(const std::string& name) override { return load(name); }
  Result<void> unload(const std::string& name) override {
    loaded_modules.erase(name);
    return {};
  }
  Result<UnitState> state(const std::string& unit) const override {
    if (units_error) return std::unexpected(*units_error);
    if (const auto found = units.find(unit); found != units.end()) return found->second;
    return UnitState{"not-found", "inactive", "dead", ""};
  }
  Result<void> start(const std::string& unit, std::chrono::seconds) override { return set(unit, "active"); }
  Result<void> stop(const std::string& unit, std::chrono::seconds) override { return set(unit, "inactive"); }
  Result<void> reload(const std::string&, std::chrono::seconds) override { return {}; }
  Result<void> enable(const std::string& unit) override {
    units[unit].unit_file_state = "enabled";
    return {};
  }
  Result<void> disable(const std::string& unit) override {
    units[unit].unit_file_state = "disabled";
    return {};
  }
  Result<CommandResult> run(const Command& command) override {
    std::string shown;
    for (const auto& word : command.argv) shown += (shown.empty() ? "" : " ") + word;
    commands.push_back(shown);
    return on_command(command);
  }
  std::chrono::nanoseconds since_boot() const override { return {}; }
  std::string utc_now() const override { return "2026-01-31T12:00:00Z"; }

 private:
  /// As a read-only connection shows it: no passwords of consoles.
  static Domain without_secrets(Domain domain) {
    constexpr std::string_view secret = " passwd='";
    for (auto* xml : {&domain.definition, &domain.live})
      for (auto at = xml->find(secret); at != std::string::npos; at = xml->find(secret))
        xml->erase(at, xml->find('\'', at + secret.size()) + 1 - at);
    return domain;
  }
  static void turn_off(Domain& domain) {
    domain.running = false;
    domain.live.clear();
  }
  template <class Change>
  Result<void> guest(const std::string& name, const std::string& call, Change change) {
    guest_calls.push_back(call);
    if (auto refused = on_guest_call(call); !refused) return refused;
    if (!guests || !guests->contains(name)) return fail(ErrorKind::not_found, "no domain " + name);
    change(guests->at(name));
    return {};
  }
  Result<void> set(const std::string& unit, const char* state) {
    units[unit].active_state = state;
    return {};
  }
  static std::unexpected<Error> missing(const std::string& path) {
    return fail(ErrorKind::not_found, "cannot open " + path + ": No such file or directory");
  }
};

/// What the kind proposes for the document "doc".
inline Proposal plan(const Kind& kind, const FakeHost& host, const Ownership& owned, const Policy& policy) {
  return kind.plan(*kind.observe(host.view()), {"doc", owned, policy, host.running});
}

}  // namespace gpuhost::testing
