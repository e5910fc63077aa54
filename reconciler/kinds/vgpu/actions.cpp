#include <chrono>

#include <fmt/format.h>

#include "base/text.hpp"
#include "kinds/vgpu/kind.hpp"

namespace gpuhost {

namespace {

/// The kernel makes and removes a mediated device within the write; its files follow at once. Source: Linux
/// drivers/vfio/mdev/mdev_sysfs.c.
constexpr std::chrono::seconds device_limit{15};

/// What a step says of its vGPU. From a file too, so that nothing is taken for granted.
struct Arguments {
  Uuid uuid;
  std::optional<PciAddress> parent;
  std::string type;
  VgpuParams params;
  std::vector<std::string> dropped;
};

std::optional<Arguments> read_arguments(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  const auto text = [&](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string{};
  };
  const auto uuid = Uuid::parse(text("uuid"));
  if (!uuid) return std::nullopt;
  Arguments arguments{.uuid = *uuid, .parent = PciAddress::parse(text("parent")), .type = text("type")};
  if (const auto params = json.find("params"); params != json.end() && params->is_object())
    for (const auto& [key, value] : params->items())
      if (value.is_string()) arguments.params.emplace(key, value.get<std::string>());
  if (const auto dropped = json.find("dropped"); dropped != json.end() && dropped->is_array())
    for (const auto& key : *dropped)
      if (key.is_string()) arguments.dropped.push_back(key.get<std::string>());
  return arguments;
}

std::unexpected<Error> no_such_step(const StepAction& action) {
  return fail(ErrorKind::unsupported, fmt::format("no step '{}' for {}", action.verb, action.address));
}

Result<bool> is_there(const FileReader& files, const Uuid& uuid) {
  const auto device = read_mediated_device(files, uuid);
  if (device) return true;
  if (device.error().kind == ErrorKind::not_found) return false;
  return std::unexpected(device.error());
}

Result<VgpuParams> read_params(const FileReader& files, const Uuid& uuid) {
  const auto text = files.read(vgpu_params_path(uuid));
  if (!text) return std::unexpected(text.error());
  return parse_vgpu_params(*text);
}

bool are_set(const VgpuParams& now, const Arguments& wanted) {
  return has_all(now, wanted.params) &&
         std::ranges::none_of(wanted.dropped, [&](const auto& key) { return now.contains(key); });
}

Result<bool> has_params(const FileReader& files, const Arguments& wanted) {
  if (wanted.params.empty() && wanted.dropped.empty()) return true;
  const auto now = read_params(files, wanted.uuid);
  if (!now) return std::unexpected(now.error());
  return are_set(*now, wanted);
}

/// A write to a device that a guest has may never return.
Result<void> check_unused(const HostView& host, const Uuid& uuid) {
  const auto usage = usage_of(host);
  const auto holders = usage->of(MediatedDevice{.uuid = uuid, .parent = {}, .type_id = {}, .type = {}});
  if (!holders.empty())
    return fail(ErrorKind::busy,
                fmt::format("vGPU {} is in use by {}", uuid.to_string(), sentence_of(holders.front())),
                "end its use, then apply again");
  if (usage->unknown()) return std::unexpected(*usage->unknown());
  return {};
}

Result<void> set_params(Host& host, const Arguments& wanted) {
  const auto set = has_params(host.view.files, wanted);
  if (!set) return std::unexpected(set.error());
  if (*set) return {};
  if (auto unused = check_unused(host.view, wanted.uuid); !unused) return unused;
  auto params = read_params(host.view.files, wanted.uuid);
  if (!params) return std::unexpected(params.error());
  for (const auto& key : wanted.dropped) params->erase(key);
  for (const auto& [key, value] : wanted.params) params->insert_or_assign(key, value);
  const auto path = vgpu_params_path(wanted.uuid);
  if (auto written = host.files.write_attribute(path, to_text(*params)); !written)
    return std::unexpected(Error(written.error())
                               .within(fmt::format("the driver refuses the parameters '{}' of vGPU {}",
                                                   to_text(*params), wanted.uuid.to_string())));
  const auto read_back = has_params(host.view.files, wanted);
  if (!read_back) return std::unexpected(read_back.error());
  if (!*read_back)
    return fail(ErrorKind::mismatch,
                fmt::format("the parameters of vGPU {} were written as '{}' and read back otherwise",
                            wanted.uuid.to_string(), to_text(*params)),
                "see NVIDIA's vGPU user guide for the parameters that this driver knows");
  return {};
}

bool is_as_wanted(const MediatedDevice& device, const Arguments& wanted) {
  return device.parent == *wanted.parent && catalog::same_type(device.type, wanted.type);
}

std::unexpected<Error> is_another(const MediatedDevice& device) {
  return fail(ErrorKind::mismatch,
              fmt::format("the UUID {} is that of a vGPU of type {} on {} already", device.uuid.to_string(),
                          short_type(device.type), device.parent.to_string()),
              "plan again: it is to be removed first");
}

Result<void> make_device(Host& host, const Arguments& wanted) {
  const auto& files = host.view.files;
  const auto directory = directory_of_type(files, *wanted.parent, wanted.type);
  if (!directory) return std::unexpected(directory.error());
  const auto uuid = wanted.uuid.to_string();
  const auto written = host.files.write_attribute(*directory + "/create", uuid);
  const auto device = read_mediated_device(files, wanted.uuid);
  if (!written) {
    // EEXIST: somebody else was faster.
    if (device && is_as_wanted(*device, wanted)) return {};
    if (device) return is_another(*device);
    const auto available = files.read(*directory + "/available_instances");
    auto error = Error(written.error())
                     .within(fmt::format("the driver makes no vGPU {} on {}", wanted.type,
                                         wanted.parent->to_string()));
    error.advice =
        fmt::format("it has {} more of this type there; see the kernel log for NVRM and nvidia-vgpu-vfio",
                    available ? trim(*available) : "no");
    return std::unexpected(std::move(error));
  }
  const auto appeared = [&] { return read_mediated_device(files, wanted.uuid).has_value(); };
  if (!host.waiter.until(appeared, device_limit))
    return fail(ErrorKind::timed_out,
                fmt::format("vGPU {} was made on {} and did not appear within {} s", uuid,
                            wanted.parent->to_string(), device_limit.count()),
                "see the kernel log for mdev and nvidia-vgpu-vfio");
  return {};
}

Result<void> create(Host& host, const Arguments& wanted) {
  if (!wanted.parent || wanted.type.empty())
    return fail(ErrorKind::invalid,
                fmt::format("the step that makes vGPU {} does not say of which type and where",
                            wanted.uuid.to_string()));
  const auto device = read_mediated_device(host.view.files, wanted.uuid);
  if (device && !is_as_wanted(*device, wanted)) return is_another(*device);
  if (!device && device.error().kind != ErrorKind::not_found) return std::unexpected(device.error());
  if (!device)
    if (auto made = make_device(host, wanted); !made) return made;
  return set_params(host, wanted);
}

Result<void> remove(Host& host, const Uuid& uuid) {
  const auto there = is_there(host.view.files, uuid);
  if (!there) return std::unexpected(there.error());
  if (!*there) return {};
  if (auto unused = check_unused(host.view, uuid); !unused) return unused;
  const auto name = uuid.to_string();
  const auto written = host.files.write_attribute(fmt::format("/sys/bus/mdev/devices/{}/remove", name), "1");
  const auto gone = [&] { return !is_there(host.view.files, uuid).value_or(true); };
  if (!written) {
    if (gone()) return {};
    return std::unexpected(Error(written.error()).within(fmt::format("cannot remove vGPU {}", name)));
  }
  if (!host.waiter.until(gone, device_limit))
    return fail(ErrorKind::timed_out,
                fmt::format("vGPU {} is still there {} s after it was removed", name, device_limit.count()),
                "see the kernel log for mdev and nvidia-vgpu-vfio");
  return {};
}

}  // namespace

Result<bool> Vgpu::satisfied(const StepAction& action, const HostView& host) const {
  const auto arguments = read_arguments(action.arguments);
  if (!arguments) return no_such_step(action);
  if (action.verb == "forget") return true;
  if (action.verb == "remove") {
    const auto there = is_there(host.files, arguments->uuid);
    return there ? Result<bool>(!*there) : there;
  }
  if (action.verb == "set_params") return has_params(host.files, *arguments);
  if (action.verb != "create" || !arguments->parent) return no_such_step(action);
  const auto device = read_mediated_device(host.files, arguments->uuid);
  if (!device && device.error().kind == ErrorKind::not_found) return false;
  if (!device) return std::unexpected(device.error());
  return is_as_wanted(*device, *arguments) ? has_params(host.files, *arguments) : Result<bool>(false);
}

Result<std::optional<Undo>> Vgpu::undo_of(const StepAction& action, const HostView& host) const {
  const auto arguments = read_arguments(action.arguments);
  if (!arguments) return no_such_step(action);
  Undo back{action};
  if (action.verb == "forget") return back;
  const auto uuid = arguments->uuid.to_string();
  const auto device = read_mediated_device(host.files, arguments->uuid);
  if (!device && device.error().kind != ErrorKind::not_found) return std::unexpected(device.error());
  if (!device) {
    back.action.verb = "remove";
    back.action.arguments = {{"uuid", uuid}};
    return back;
  }
  const auto params = read_params(host.files, arguments->uuid);
  if (!params && params.error().kind != ErrorKind::not_found) return std::unexpected(params.error());
  const auto now = params.value_or(VgpuParams{});
  Json dropped = Json::array();
  for (const auto& [key, value] : arguments->params)
    if (!now.contains(key)) dropped.push_back(key);
  back.action.verb = action.verb == "remove" ? "create" : "set_params";
  back.action.arguments = {{"uuid", uuid}, {"params", now}, {"dropped", dropped}};
  if (action.verb == "remove") {
    back.action.arguments["type"] = short_type(device->type);
    back.action.arguments["parent"] = device->parent.to_string();
  }
  return back;
}

Result<void> Vgpu::run(const StepAction& action, Host& host) const {
  const auto arguments = read_arguments(action.arguments);
  if (!arguments) return no_such_step(action);
  if (action.verb == "create") return create(host, *arguments);
  if (action.verb == "remove") return remove(host, arguments->uuid);
  if (action.verb == "set_params") return set_params(host, *arguments);
  if (action.verb == "forget") return {};
  return no_such_step(action);
}

}  // namespace gpuhost
