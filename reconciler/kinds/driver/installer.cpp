#include "kinds/driver/installer.hpp"

#include <array>
#include <chrono>

#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/driver/kind.hpp"

namespace gpuhost {

namespace {

using Form = PackageSource::Form;

/// Building a module for each kernel takes minutes on a slow machine.
constexpr std::chrono::minutes limit{30};

struct Tool {
  PackageTool tool;
  const char* path;
};
constexpr auto tools = std::to_array<Tool>({{PackageTool::apt_get, "/usr/bin/apt-get"},
                                            {PackageTool::dnf, "/usr/bin/dnf"},
                                            {PackageTool::zypper, "/usr/bin/zypper"}});

constexpr const char* shell = "/bin/sh";

struct FormWord {
  Form form;
  const char* word;
  const char* ending;  ///< of a file's name: package tools tell by it
};
constexpr auto forms = std::to_array<FormWord>({{Form::runfile, "runfile", ".run"},
                                                {Form::package, "package", ""},
                                                {Form::deb, "deb", ".deb"},
                                                {Form::rpm, "rpm", ".rpm"}});

const FormWord& words_of(Form form) {
  return *std::ranges::find(forms, form, &FormWord::form);
}

unsigned branch_of(std::string_view version) {
  return static_cast<unsigned>(parse_unsigned(version.substr(0, version.find('.'))).value_or(0));
}

/// Source: vgpu-manager of NVIDIA/gpu-driver-container, whose options differ by branch: from 550 on the
/// installer's own test leaves the module loaded otherwise. The units that it brings are wanted here.
Command run_file_command(const DriverPackage& driver, const FileReader& files) {
  Command command{
      {shell, copy_of(*driver.source), "--ui=none", "--no-questions", "--tmpdir", sources_directory}, limit};
  constexpr unsigned first_with_skip = 550;
  if (branch_of(driver.version) >= first_with_skip) command.argv.emplace_back("--skip-module-load");
  if (files.exists(dkms).value_or(false)) command.argv.emplace_back("--dkms");
  return command;
}

/// Each with what keeps it from asking, and lets an older version in.
Command tool_command(PackageTool tool, std::vector<std::string> what) {
  Command command{{}, limit};
  if (tool == PackageTool::apt_get)
    command.argv = {tools[0].path, "-q", "-y", "--allow-downgrades", "-o", "Dpkg::Options::=--force-confold"};
  if (tool == PackageTool::dnf) command.argv = {tools[1].path, "-q", "-y"};
  if (tool == PackageTool::zypper) command.argv = {tools[2].path, "--quiet", "--non-interactive"};
  command.argv.insert(command.argv.end(), what.begin(), what.end());
  return command;
}

std::string package_of_version(PackageTool tool, const std::string& name, const std::string& version) {
  if (tool == PackageTool::apt_get) return fmt::format("{}={}*", name, version);
  if (tool == PackageTool::dnf) return fmt::format("{}-{}", name, version);
  return fmt::format("{}={}", name, version);
}

std::unexpected<Error> no_tool(std::string_view form) {
  return fail(ErrorKind::unsupported, fmt::format("nothing on this host installs a {}", form),
              "use a runfile, or what this host has packages of (apt-get, dnf, zypper)");
}

}  // namespace

Result<PackageTool> find_package_tool(const FileReader& files) {
  for (const auto& [tool, path] : tools) {
    const auto there = files.exists(path);
    if (!there) return std::unexpected(there.error());
    if (*there) return tool;
  }
  return PackageTool::none;
}

bool can_install(PackageTool tool, PackageSource::Form form) {
  switch (form) {
    case Form::runfile:
      return true;
    case Form::package:
      return tool != PackageTool::none;
    case Form::deb:
      return tool == PackageTool::apt_get;
    case Form::rpm:
      return tool == PackageTool::dnf || tool == PackageTool::zypper;
  }
  std::unreachable();
}

Json DriverPackage::to_json() const {
  Json json{{"flavor", flavor}, {"version", version}};
  if (source)
    json["source"] = {
        {"form", words_of(source->form).word}, {"what", source->what}, {"sha256", source->sha256}};
  return json;
}

std::optional<DriverPackage> DriverPackage::from(const Json& json) {
  const auto text = [](const Json& in, const char* key) {
    const auto found = in.find(key);
    return found != in.end() && found->is_string() ? found->get<std::string>() : std::string{};
  };
  if (!json.is_object() || text(json, "version").empty()) return std::nullopt;
  DriverPackage driver{text(json, "flavor"), text(json, "version")};
  const auto source = json.find("source");
  if (source == json.end() || !source->is_object()) return driver;
  const auto word = std::ranges::find(forms, text(*source, "form"), &FormWord::word);
  if (word != forms.end())
    driver.source = PackageSource{word->form, text(*source, "what"), text(*source, "sha256")};
  return driver;
}

Result<std::optional<DriverPackage>> read_installed(const HostView& host) {
  using Found = Result<std::optional<DriverPackage>>;
  const auto module = host.modules.available(nvidia_module);
  if (!module && module.error().kind == ErrorKind::not_found) return Found(std::nullopt);
  if (!module) return std::unexpected(module.error());
  const auto manager = host.modules.available(manager_module);
  if (!manager && manager.error().kind != ErrorKind::not_found) return std::unexpected(manager.error());
  const auto licensed = host.files.exists(licence_daemon);
  if (!licensed) return std::unexpected(licensed.error());
  const auto flavor = manager     ? DriverSpec::Flavor::vgpu_manager
                      : *licensed ? DriverSpec::Flavor::graphics
                                  : DriverSpec::Flavor::datacenter;
  return DriverPackage{std::string(to_string(flavor)), module->version};
}

std::string copy_of(const PackageSource& source) {
  return fmt::format("{}/{}{}", sources_directory, source.sha256, words_of(source.form).ending);
}

Result<Command> install_command(const DriverPackage& driver, const FileReader& files) {
  if (driver.source->form == Form::runfile) return run_file_command(driver, files);
  const auto tool = find_package_tool(files);
  if (!tool) return std::unexpected(tool.error());
  if (!can_install(*tool, driver.source->form)) return no_tool(words_of(driver.source->form).word);
  const auto what = driver.source->form == Form::package
                        ? package_of_version(*tool, driver.source->what, driver.version)
                        : copy_of(*driver.source);
  auto command = tool_command(*tool, {"install"});
  if (*tool == PackageTool::zypper)
    command.argv.insert(command.argv.end(), {"--oldpackage", "--allow-unsigned-rpm"});
  command.argv.push_back(what);
  return command;
}

Json Means::to_json() const {
  if (by == By::packages) return {{"packages", packages}};
  return by == By::runfile ? Json{{"runfile", true}} : Json::object();
}

Means Means::from(const Json& json) {
  if (!json.is_object()) return {By::unknown};
  if (json.contains("runfile")) return {By::runfile};
  const auto packages = json.find("packages");
  if (packages == json.end() || !packages->is_array()) return {By::unknown};
  Means means{By::packages};
  for (const auto& name : *packages)
    if (name.is_string()) means.packages.push_back(name.get<std::string>());
  return means;
}

Means read_means(const FileReader& files, const Result<NvidiaPackages>& packages) {
  if (files.exists(uninstaller).value_or(false)) return {Means::By::runfile};
  if (!packages) return {Means::By::unknown};
  Means means{Means::By::packages};
  for (const auto& [name, version] : *packages)
    if (is_manager_package(name) || is_driver_package(name)) means.packages.push_back(name);
  return means.packages.empty() ? Means{Means::By::unknown} : means;
}

Result<Command> remove_command(const Means& means, const FileReader& files) {
  if (means.by == Means::By::runfile) return Command{{uninstaller, "--ui=none", "--no-questions"}, limit};
  if (means.by != Means::By::packages)
    return fail(ErrorKind::unsupported, "how NVIDIA's driver came to this host is not known",
                "uninstall it by the means that installed it");
  const auto tool = find_package_tool(files);
  if (!tool) return std::unexpected(tool.error());
  if (*tool == PackageTool::none) return no_tool("package");
  auto command = tool_command(*tool, {"remove"});
  command.argv.insert(command.argv.end(), means.packages.begin(), means.packages.end());
  return command;
}

}  // namespace gpuhost
