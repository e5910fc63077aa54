#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/sha256.hpp"
#include "host/host.hpp"
#include "support/no_agents.hpp"
#include "support/no_gpus.hpp"

namespace gpuhost::testing {

/// Files in memory, and nothing else: every other port answers that it is not there. For tests that need a
/// Host and no behaviour of one.
class MemoryHost {
 public:
  MemoryHost() = default;

  [[nodiscard]] Host host() {
    return {{files_, modules_, units_, domains_, processes_, gpus_, clock_},
            files_,
            modules_,
            units_,
            domains_,
            agents_,
            gpus_,
            commands_,
            waiter_};
  }
  void put(const std::string& path, std::string text) { files_.content[path] = std::move(text); }
  [[nodiscard]] const std::map<std::string, std::string>& files() const { return files_.content; }
  /// Time goes on by so much, and otherwise stands still.
  void wait(std::chrono::seconds time) { clock_.up += time; }
  [[nodiscard]] unsigned writes() const { return files_.writes; }
  /// Every later write fails with this.
  void refuse_writes(Error why) { files_.refusal = std::move(why); }

 private:
  struct Files final : FileReader, FileWriter {
    mutable std::mutex mutex;
    std::map<std::string, std::string> content;
    unsigned writes = 0;
    std::optional<Error> refusal;

    [[nodiscard]] Result<std::string> read(const std::string& path) const override {
      const std::lock_guard lock(mutex);
      if (const auto found = content.find(path); found != content.end()) return found->second;
      return fail(ErrorKind::not_found, "no " + path);
    }
    [[nodiscard]] Result<std::vector<std::string>> list(const std::string& path) const override {
      return fail(ErrorKind::not_found, "no " + path);
    }
    [[nodiscard]] Result<std::string> link_target(const std::string& path) const override {
      return fail(ErrorKind::not_found, "no " + path);
    }
    [[nodiscard]] Result<FileStatus> status(const std::string& path) const override {
      if (content.contains(path)) return FileStatus{};
      return fail(ErrorKind::not_found, "no " + path);
    }
    [[nodiscard]] Result<std::string> digest(const std::string& path) const override {
      const auto found = read(path);
      return found ? sha256(*found) : found;
    }
    Result<void> copy(const std::string& from, const std::string& to, const std::string& wanted) override {
      const auto found = digest(from);
      if (!found) return std::unexpected(found.error());
      if (*found != wanted) return std::unexpected(other_digest(from, wanted, *found));
      return replace(to, content.at(from), 0600);
    }
    Result<void> write_attribute(const std::string& path, std::string_view text) override {
      return replace(path, text, 0644);
    }
    Result<void> replace(const std::string& path, std::string_view text, unsigned) override {
      const std::lock_guard lock(mutex);
      if (refusal) return std::unexpected(*refusal);
      ++writes;
      content[path] = text;
      return {};
    }
    Result<void> append(const std::string& path, std::string_view text) override {
      const std::lock_guard lock(mutex);
      if (refusal) return std::unexpected(*refusal);
      ++writes;
      content[path] += text;
      return {};
    }
    Result<void> remove(const std::string& path) override {
      const std::lock_guard lock(mutex);
      if (refusal) return std::unexpected(*refusal);
      writes += static_cast<unsigned>(content.erase(path));
      return {};
    }
  };
  struct Modules final : ModuleReader, ModuleWriter {
    [[nodiscard]] Result<std::map<std::string, LoadedModule>> loaded() const override { return gone(); }
    [[nodiscard]] Result<ModuleFile> available(const std::string&) const override { return gone(); }
    Result<void> load(const std::string&) override { return gone(); }
    Result<void> load_again(const std::string&) override { return gone(); }
    Result<void> unload(const std::string&) override { return gone(); }
  };
  struct Units final : UnitReader, UnitWriter {
    [[nodiscard]] Result<UnitState> state(const std::string&) const override { return gone(); }
    Result<void> start(const std::string&, std::chrono::seconds) override { return gone(); }
    Result<void> stop(const std::string&, std::chrono::seconds) override { return gone(); }
    Result<void> reload(const std::string&, std::chrono::seconds) override { return gone(); }
    Result<void> enable(const std::string&) override { return gone(); }
    Result<void> disable(const std::string&) override { return gone(); }
  };
  struct Commands final : CommandRunner {
    Result<CommandResult> run(const Command&) override { return gone(); }
  };
  struct Domains final : DomainReader, DomainWriter {
    using Text = const std::string&;
    [[nodiscard]] Result<std::vector<Domain>> domains(Text) const override { return gone(); }
    [[nodiscard]] Result<Domain> domain(Text, Text) const override { return gone(); }
    Result<std::string> full_definition(Text, Text) override { return gone(); }
    Result<void> define(Text, Text) override { return gone(); }
    Result<void> start(Text, Text) override { return gone(); }
    Result<void> shut_down(Text, Text, std::chrono::seconds) override { return gone(); }
    Result<void> managed_save(Text, Text) override { return gone(); }
    Result<void> destroy(Text, Text) override { return gone(); }
    Result<void> set_autostart(Text, Text, bool) override { return gone(); }
    Result<void> attach(Text, Text, Text) override { return gone(); }
    Result<void> detach(Text, Text, Text, std::chrono::seconds) override { return gone(); }
  };
  struct Processes final : ProcessReader {
    [[nodiscard]] Result<std::vector<Process>> device_users() const override { return gone(); }
  };
  struct NoWaiter final : Waiter {
    bool until(const std::function<bool()>& done, std::chrono::seconds) override { return done(); }
  };
  struct StoppedClock final : Clock {
    std::chrono::nanoseconds up{};
    [[nodiscard]] std::chrono::nanoseconds since_boot() const override { return up; }
    [[nodiscard]] std::string utc_now() const override { return "2026-01-01T00:00:00Z"; }
  };

  static std::unexpected<Error> gone() { return fail(ErrorKind::unavailable, "this host has files only"); }

  Files files_;
  Modules modules_;
  Units units_;
  Domains domains_;
  NoAgents agents_;
  Processes processes_;
  NoGpus gpus_;
  NoWaiter waiter_;
  Commands commands_;
  StoppedClock clock_;
};

}  // namespace gpuhost::testing
