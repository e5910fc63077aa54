#include "host/sim/decode_installers.hpp"

#include "document/formats.hpp"
#include "document/messages.hpp"
#include "host/sim/decode_host_entry.hpp"

namespace gpuhost {

namespace {

constexpr std::array flavors = {Word<std::string_view>{"vgpu-manager", "vgpu-manager"},
                                Word<std::string_view>{"graphics", "graphics"},
                                Word<std::string_view>{"datacenter", "datacenter"}};

HostFile::Installer decode_installer(const Value& value) {
  HostFile::Installer installer;
  auto reader = value.mapping();
  installer.sha256 = reader.at("sha256").text(formats::sha256).value_or("");
  installer.package = decode_text(reader.at("package")).value_or("");
  if (reader && installer.sha256.empty() && installer.package.empty())
    reader.report(messages::missing_key, "one of 'sha256' and 'package' is missing",
                  "say which file or package it is");
  installer.flavor = reader.required("flavor").word<std::string_view>(flavors).value_or("");
  installer.version = decode_text(reader.required("version")).value_or("");
  installer.signer = decode_text(reader.at("signer")).value_or("");
  if (const auto fault = reader.at("fault"))
    installer.fault =
        fault.word<HostFile::Installer::Fault>(installer_faults).value_or(HostFile::Installer::Fault::none);
  return installer;
}

}  // namespace

std::vector<HostFile::Installer> decode_installers(const Value& value) {
  std::vector<HostFile::Installer> installers;
  for (const auto& item : value.list().value_or(std::vector<Value>{}))
    installers.push_back(decode_installer(item));
  return installers;
}

}  // namespace gpuhost
