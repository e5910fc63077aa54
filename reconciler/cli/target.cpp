#include "cli/target.hpp"

#include <filesystem>

#include <fmt/format.h>

#include "cli/trusted_file.hpp"
#include "host/real/absent_ports.hpp"
#include "host/real/child_commands.hpp"
#include "host/sim/host_file.hpp"

namespace gpuhost {

namespace {

constexpr const char* trial_unit = "gpuhost-trial";
constexpr std::chrono::minutes undo_limit{30};  // as of the boot units

OrExit<HostFile> load_host_file(const std::string& path) {
  auto text = read_file(path, host_file_limits.bytes);
  if (!text) return std::unexpected(report(text.error(), ExitCode::invalid_document));
  Diagnostics diagnostics;
  const auto source = diagnostics.add_source({path, std::move(*text)});
  if (auto host = decode_host_file(source, diagnostics)) return std::move(*host);
  print_error(diagnostics.render());
  return std::unexpected(ExitCode::invalid_document);
}

Result<std::string> whole_path(const std::string& path) {
  std::error_code code;
  const auto whole = std::filesystem::absolute(path, code).lexically_normal();
  if (code) return std::unexpected(system_error(code.value(), "find", path));
  return whole.string();
}

}  // namespace

/// In place of what is not up yet.
struct Target::EarlyPorts {
  AbsentPorts absent{"services and guests are outside the scope 'devices'"};
  ChildCommands children;  // the service manager would be asked over the bus
};

Target::Target() = default;
Target::~Target() = default;
Target::Target(Target&&) noexcept = default;
Target& Target::operator=(Target&&) noexcept = default;

OrExit<Target> Target::open(const Options& options) {
  Target target;
  if (options.scope == Scope::devices) target.early_ = std::make_unique<EarlyPorts>();
  if (options.host_file.empty()) {
    std::error_code code;
    if (!options.root.empty() && !std::filesystem::is_directory(options.root, code))
      return std::unexpected(
          report({ErrorKind::invalid, fmt::format("cannot use --root {}: it is no directory", options.root)},
                 ExitCode::usage));
    target.real_ = std::make_unique<RealHost>(options.root.empty() ? "/" : options.root);
    return target;
  }
  auto file = load_host_file(options.host_file);
  if (!file) return std::unexpected(file.error());
  target.original_ = write_host_file(*file);
  target.sim_ = std::make_unique<SimHost>(std::move(*file));
  target.host_file_ = options.host_file;
  target.host_out_ = options.host_out;
  return target;
}

HostView Target::view() const {
  const auto whole = sim_ ? sim_->view() : real_->view();
  if (!early_) return whole;
  return {.files = whole.files,
          .modules = whole.modules,
          .units = early_->absent,
          .domains = early_->absent,
          .processes = whole.processes,
          .gpus = whole.gpus,
          .clock = whole.clock,
          .running = whole.running};
}

Host Target::host() {
  auto whole = sim_ ? sim_->host() : real_->host();
  if (!early_) return whole;
  return {.view = view(),
          .files = whole.files,
          .modules = whole.modules,
          .units = early_->absent,
          .domains = early_->absent,
          .agents = early_->absent,
          .gpus = whole.gpus,
          .commands = sim_ ? whole.commands : early_->children,
          .waiter = whole.waiter};
}

Result<void> Target::reboot() {
  return sim_ ? sim_->reboot() : real_->reboot();
}

Result<void> Target::undo_later(std::chrono::seconds within) {
  if (sim_) return {};
  std::error_code code;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", code);
  if (code)
    return std::unexpected(system_error(code.value(), "tell where this program lies:", "/proc/self/exe"));
  return real_->run_later(trial_unit, {{program, "recover", "--overdue", "--no-color"}, undo_limit}, within);
}

Result<void> Target::cancel_undo() {
  return sim_ ? Result<void>{} : real_->cancel_later(trial_unit);
}

Result<void> Target::save() {
  if (!sim_) return {};
  const auto now = write_host_file(sim_->file());
  if (!host_out_.empty()) return write_local_file(host_out_, now);
  if (now == original_) return {};
  return write_local_file(host_file_, now);
}

Result<void> write_local_file(const std::string& path, const std::string& content) {
  const auto whole = whole_path(path);
  if (!whole) return std::unexpected(whole.error());
  RealHost machine;
  return machine.host().files.replace(*whole, content);
}

Result<void> write_private_file(const std::string& path, const std::string& content) {
  const auto whole = whole_path(path);
  if (!whole) return std::unexpected(whole.error());
  RealHost machine;
  auto host = machine.host();
  // A file that is replaced keeps its mode.
  if (auto removed = host.files.remove(*whole); !removed) return removed;
  return host.files.replace(*whole, content, 0600);
}

}  // namespace gpuhost
