#include "host/sim/recorder.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include <fmt/core.h>

#include "base/text.hpp"
#include "host/gpu_reset.hpp"
#include "host/memo_files.hpp"
#include "host/sim/command_line_mask.hpp"
#include "host/sim/kernel_words.hpp"
#include "host/sim/recordable_domain.hpp"
#include "host/sim/recorded_gpus.hpp"
#include "host/sim/sim_files.hpp"
#include "host/sim/sim_modprobe.hpp"

namespace gpuhost {

namespace {

constexpr const char* acpi_tables = "/sys/firmware/acpi/tables";

/// What tells hosts and boots apart, and gpuhost's records: planning rests on them whatever the document
/// says.
constexpr const char* always_recorded[] = {"/etc/hostname",
                                           "/etc/machine-id",
                                           "/proc/sys/kernel/osrelease",
                                           "/proc/sys/kernel/random/boot_id",
                                           "/proc/cmdline",
                                           "/var/lib/gpuhost/guests.json",
                                           "/var/lib/gpuhost/identity.json",
                                           "/var/lib/gpuhost/ownership.json",
                                           "/var/lib/gpuhost/pending.json"};

class RecordingModules final : public ModuleReader {
 public:
  explicit RecordingModules(const ModuleReader& modules) : modules_(modules) {}

  [[nodiscard]] Result<std::map<std::string, LoadedModule>> loaded() const override {
    return modules_.loaded();
  }
  [[nodiscard]] Result<ModuleFile> available(const std::string& name) const override {
    auto answer = modules_.available(name);
    const std::lock_guard lock(mutex_);
    asked_.insert_or_assign(underscored(name), answer);
    return answer;
  }
  [[nodiscard]] const std::map<std::string, Result<ModuleFile>>& asked() const { return asked_; }

 private:
  const ModuleReader& modules_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, Result<ModuleFile>> asked_;
};

class RecordingUnits final : public UnitReader {
 public:
  explicit RecordingUnits(const UnitReader& units) : units_(units) {}

  [[nodiscard]] Result<UnitState> state(const std::string& unit) const override {
    auto answer = units_.state(unit);
    const std::lock_guard lock(mutex_);
    asked_.insert_or_assign(unit, answer);
    return answer;
  }
  [[nodiscard]] const std::map<std::string, Result<UnitState>>& asked() const { return asked_; }

 private:
  const UnitReader& units_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, Result<UnitState>> asked_;
};

/// One list for each connection, whether it was asked as a whole or for single domains.
class RecordingDomains final : public DomainReader {
 public:
  explicit RecordingDomains(const DomainReader& domains) : domains_(domains) {}

  [[nodiscard]] Result<std::vector<Domain>> domains(const std::string& connection) const override {
    auto answer = domains_.domains(connection);
    const std::lock_guard lock(mutex_);
    auto& record = asked_[connection];
    if (!answer) record.unknown = answer.error();
    for (const auto& domain : answer.value_or(std::vector<Domain>{})) take(domain, record);
    return answer;
  }
  [[nodiscard]] Result<Domain> domain(const std::string& connection, const std::string& name) const override {
    auto answer = domains_.domain(connection, name);
    const std::lock_guard lock(mutex_);
    auto& record = asked_[connection];
    if (answer) {
      take(*answer, record);
    } else if (answer.error().kind != ErrorKind::not_found) {
      record.unknown = answer.error();
    }
    return answer;
  }
  /// Domains that were seen before libvirt stopped to answer are no list to plan with.
  [[nodiscard]] std::map<std::string, HostFile::Connection> asked() const {
    auto connections = asked_;
    for (auto& [uri, connection] : connections) {
      if (connection.unknown) connection.domains.clear();
    }
    return connections;
  }

 private:
  static void take(const Domain& domain, HostFile::Connection& record) {
    if (!domain.persistent && !domain.running) return;  // it ended while it was read
    record.domains.insert_or_assign(domain.name, recordable(domain));
  }

  const DomainReader& domains_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, HostFile::Connection> asked_;
};

class RecordingProcesses final : public ProcessReader {
 public:
  explicit RecordingProcesses(const ProcessReader& processes) : processes_(processes) {}

  [[nodiscard]] Result<std::vector<Process>> device_users() const override {
    auto answer = processes_.device_users();
    const std::lock_guard lock(mutex_);
    asked_ = answer;
    return answer;
  }
  [[nodiscard]] const std::optional<Result<std::vector<Process>>>& asked() const { return asked_; }

 private:
  const ProcessReader& processes_;
  mutable std::mutex mutex_;
  mutable std::optional<Result<std::vector<Process>>> asked_;
};

class RecordingGpus final : public GpuReader {
 public:
  explicit RecordingGpus(const GpuReader& gpus) : gpus_(gpus) {}

  /// One answer for a look and what is written down of it.
  [[nodiscard]] Result<GpuReports> gpus() const override {
    std::call_once(once_, [&] { answer_ = gpus_.gpus(); });
    return answer_;
  }

 private:
  const GpuReader& gpus_;
  mutable std::once_flag once_;
  mutable Result<GpuReports> answer_;
};

HostFile::Unreadable unreadable(const Error& error, bool unseen) {
  return {error.message, error.kind == ErrorKind::denied, unseen};
}

/// Files are put where they really lie, so that each is there once however it was reached.
class FileRecord {
 public:
  FileRecord(const MemoFiles& asked, HostFile& host) : asked_(asked), files_(host.files), host_(host) {}

  void take() {
    see_listed_entries();
    const auto statuses = asked_.statuses();
    // Links first: the other paths are resolved through them.
    for (const auto& [path, status] : statuses) {
      if (status && status->type == FileStatus::Type::symlink) take_link(path);
    }
    for (const auto& [path, target] : asked_.links()) {
      if (target) files_.put(path, HostFile::Link{*target});
    }
    for (const auto& [path, status] : statuses) take_status(path, status);
    for (const auto& [path, names] : asked_.lists()) take_list(path, names);
    for (const auto& [path, content] : asked_.reads()) take_content(path, content);
    for (const auto& [path, digest] : asked_.digests()) take_digest(path, digest);
  }

 private:
  /// What a directory lists is there, read or not.
  void see_listed_entries() {
    for (const auto& [path, names] : asked_.lists()) {
      for (const auto& name : names.value_or(std::vector<std::string>{})) {
        static_cast<void>(asked_.status(path + "/" + name));
      }
    }
  }

  void take_link(const std::string& path) {
    if (const auto target = asked_.link_target(path)) files_.put(path, HostFile::Link{*target});
  }

  void take_status(const std::string& path, const Result<FileStatus>& status) {
    if (!status) {
      if (status.error().kind != ErrorKind::not_found) files_.put(path, unreadable(status.error(), true));
      return;
    }
    switch (status->type) {
      case FileStatus::Type::symlink:
        return;
      case FileStatus::Type::directory:
        return files_.put(path, HostFile::Directory{});
      case FileStatus::Type::other:
        return files_.put(path, HostFile::Device{});
      case FileStatus::Type::regular:
        return files_.put(
            path, HostFile::Unreadable{fmt::format("{} was not read when the host was recorded", path)});
    }
  }

  void take_list(const std::string& path, const Result<std::vector<std::string>>& names) {
    const auto real = files_.resolve(path);
    if (!real) return;
    if (names) {
      if (names->empty()) files_.put(*real, HostFile::Directory{});
    } else if (names.error().kind != ErrorKind::not_found && !is_known_file(*real)) {
      files_.put(*real, unreadable(names.error(), false));
    }
  }

  void take_content(const std::string& path, const Result<std::string>& content) {
    const auto real = files_.resolve(path);
    if (!real) return;
    if (content) {
      files_.put(*real, HostFile::Text{recordable(*real, *content), mode_of(path, *real)});
    } else if (content.error().kind != ErrorKind::not_found && !is_directory(*real)) {
      files_.put(*real, unreadable(content.error(), false));
    }
  }

  void take_digest(const std::string& path, const Result<std::string>& digest) {
    const auto real = files_.resolve(path);
    if (!real) return;
    if (digest) files_.put(*real, HostFile::Large{*digest, mode_of(path, *real)});
    if (!digest && digest.error().kind != ErrorKind::not_found && !is_known_file(*real))
      files_.put(*real, unreadable(digest.error(), false));
  }

  [[nodiscard]] bool is_known_file(const std::string& real) const {
    const auto found = host_.files.find(real);
    return found != host_.files.end() && !std::holds_alternative<HostFile::Directory>(found->second);
  }

  [[nodiscard]] bool is_directory(const std::string& real) const {
    const auto status = files_.status(real);
    return status && status->type == FileStatus::Type::directory;
  }

  /// The kernel's own files have modes that say nothing more than what can be read.
  [[nodiscard]] unsigned mode_of(const std::string& path, const std::string& real) const {
    if (real.starts_with("/sys/") || real.starts_with("/proc/")) return 0644;
    const auto known = asked_.statuses().find(path);
    const bool regular =
        known != asked_.statuses().end() && known->second && known->second->type == FileStatus::Type::regular;
    return regular ? known->second->mode : 0644;
  }

  const MemoFiles& asked_;
  SimFiles files_;
  HostFile& host_;
};

void take_modules(const RecordingModules& modules, HostFile& host) {
  const auto loaded = modules.loaded();
  if (!loaded) host.modules_unknown = loaded.error();
  for (const auto& [name, answer] : modules.asked()) {
    if (answer) {
      host.modules[name].file = *answer;
    } else if (answer.error().kind != ErrorKind::not_found || !loaded) {
      host.modules[name].unknown = answer.error();
    }
  }
  for (const auto& [name, module] : loaded.value_or(std::map<std::string, LoadedModule>{})) {
    host.modules[name].loaded = module;
    // Who asked for it cannot be told; most modules are asked for by hardware, and a boot brings them back.
    host.modules[name].at_boot = true;
    for (const auto& user : module.users) host.modules[user].depends.push_back(name);
  }
}

/// Values in /sys/module that no configuration explains are what the module has by itself.
void take_defaults(HostFile& host) {
  SimFiles files(host.files);
  const auto config = parse_modprobe(modprobe_text(files), files.text("/proc/cmdline").value_or(""));
  for (auto& [name, module] : host.modules) {
    for (const auto& parameter : module.file.parameters) {
      const auto value = files.text(fmt::format("/sys/module/{}/parameters/{}", name, parameter));
      const auto options = config.options.find(name);
      const bool is_set =
          options != config.options.end() &&
          std::ranges::find(options->second, parameter, &SimModprobe::Option::name) != options->second.end();
      if (value && !is_set) module.defaults[parameter] = trim(*value);
    }
  }
}

void take_units(const RecordingUnits& units, HostFile& host) {
  for (const auto& [name, answer] : units.asked()) {
    if (answer) {
      if (answer->load_state != "not-found") host.units[name].state = *answer;
    } else if (answer.error().kind == ErrorKind::unavailable) {
      host.units_unknown = answer.error();
    } else {
      host.units[name].unknown = answer.error();
    }
  }
}

void take_processes(const RecordingProcesses& processes, HostFile& host) {
  const auto& answer = processes.asked();
  if (!answer) return;
  if (!*answer) host.processes_unknown = answer->error();
  for (const auto& process : answer->value_or(std::vector<Process>{})) {
    host.processes[process.pid] = {process.name, process.cgroup, process.devices};
  }
}

/// DMAR is Intel's table of IOMMUs, IVRS AMD's. Source: kernel, Documentation/arch/x86/iommu.rst.
HostFile::Iommu firmware_iommu(const FileReader& files) {
  const auto tables = files.list(acpi_tables).value_or(std::vector<std::string>{});
  const auto has = [&](std::string_view table) { return std::ranges::find(tables, table) != tables.end(); };
  if (has("DMAR")) return HostFile::Iommu::intel;
  return has("IVRS") ? HostFile::Iommu::amd : HostFile::Iommu::none;
}

/// From the kernel's configuration, or else from what it did without being told.
bool iommu_default_on(const FileReader& files) {
  const std::string release(trim(files.read("/proc/sys/kernel/osrelease").value_or("")));
  if (const auto config = files.read("/boot/config-" + release)) {
    return config->find("CONFIG_INTEL_IOMMU_DEFAULT_ON=y") != std::string::npos ||
           config->find("CONFIG_INTEL_IOMMU_DEFAULT_ON_INTGPU_OFF=y") != std::string::npos;
  }
  const std::string line = files.read("/proc/cmdline").value_or("");
  const auto active = files.list("/sys/class/iommu");
  const bool told = !kernel_values(line, "intel_iommu").empty() || !kernel_values(line, "iommu").empty();
  return told || !active || !active->empty();
}

constexpr const char* nvidia_driver_directory = "/sys/bus/pci/drivers/nvidia";

}  // namespace

HostFile record_host(const HostView& host, const std::function<void(const HostView&)>& look) {
  const MemoFiles files(host.files);
  const RecordingModules modules(host.modules);
  const RecordingUnits units(host.units);
  const RecordingDomains domains(host.domains);
  const RecordingProcesses processes(host.processes);
  const RecordingGpus gpus(host.gpus);
  look(HostView{.files = files,
                .modules = modules,
                .units = units,
                .domains = domains,
                .processes = processes,
                .gpus = gpus,
                .clock = host.clock,
                .running = host.running});
  for (const char* path : always_recorded) static_cast<void>(files.read(path));
  static_cast<void>(files.status(nvidia_smi));
  // Without it NVIDIA's library, which may be all that was asked, would not answer again.
  static_cast<void>(files.status(nvidia_driver_directory));

  HostFile recorded;
  FileRecord(files, recorded).take();
  take_modules(modules, recorded);
  take_defaults(recorded);
  take_units(units, recorded);
  take_processes(processes, recorded);
  recorded.domains = domains.asked();
  recorded.name = trim(files.read("/etc/hostname").value_or(""));
  if (recorded.name.empty()) recorded.name = "recorded";
  recorded.machine.iommu = firmware_iommu(host.files);
  if (recorded.machine.iommu == HostFile::Iommu::intel) {
    recorded.machine.iommu_default_on = iommu_default_on(host.files);
  }
  take_gpus(host.files, recorded.machine);
  take_reports(host.files, gpus.gpus(), recorded.machine);
  return recorded;
}

}  // namespace gpuhost
