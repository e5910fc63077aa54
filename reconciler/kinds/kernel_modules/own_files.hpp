#pragma once

#include <map>
#include <set>
#include <string>

#include "host/host.hpp"
#include "kinds/kernel_modules/modprobe_config.hpp"

namespace gpuhost {

/// gpuhost's own modprobe.d file, with the modules of all documents. Last by name, so that its options win.
class OwnModprobeFile {
 public:
  static constexpr const char* path = "/etc/modprobe.d/zz-gpuhost.conf";

  struct Entry {
    bool blocked = false;
    ModuleOptions options;
    [[nodiscard]] bool empty() const { return !blocked && options.empty(); }
    bool operator==(const Entry&) const = default;
  };

  [[nodiscard]] static Result<OwnModprobeFile> read(const FileReader& files);
  /// Empty if the file says nothing of it.
  [[nodiscard]] Entry of(const std::string& module) const;
  void set(const std::string& module, Entry entry);
  /// False when the file is not as gpuhost writes it: another hand was there.
  [[nodiscard]] bool intact() const { return intact_; }
  /// Writes the file, or removes it when it has nothing to say.
  Result<void> write(FileWriter& files) const;
  [[nodiscard]] std::string render() const;
  /// SHA-256 of the file as it was read; empty: there is none.
  [[nodiscard]] const std::string& digest() const { return digest_; }

 private:
  std::map<std::string, Entry> entries_;
  std::string digest_;
  bool intact_ = true;
};

/// gpuhost's own list of modules to load at boot.
class OwnBootList {
 public:
  static constexpr const char* path = "/etc/modules-load.d/gpuhost.conf";

  [[nodiscard]] static Result<OwnBootList> read(const FileReader& files);
  [[nodiscard]] bool contains(const std::string& module) const { return modules_.contains(module); }
  void set(const std::string& module, bool listed);
  Result<void> write(FileWriter& files) const;
  [[nodiscard]] std::string render() const;

 private:
  std::set<std::string> modules_;
};

}  // namespace gpuhost
