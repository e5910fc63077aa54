#include <fmt/format.h>

#include "kinds/vgpu/kind.hpp"
#include "kinds/vgpu/mechanism.hpp"

namespace gpuhost {

namespace {

/// What a step says of its vGPU. From a file too, so that nothing is taken for granted.
struct Arguments {
  Uuid uuid;
  std::optional<PciAddress> parent;
  std::string type;
  VgpuParams params;
  std::vector<std::string> dropped;
  [[nodiscard]] std::string shown() const { return uuid.to_string(); }
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

/// What is there; nothing: no vGPU.
Result<std::optional<VgpuMechanism::Made>> made_now(const VgpuMechanism& vgpu, const HostView& host) {
  auto made = vgpu.made(host);
  if (made) return std::optional(*std::move(made));
  if (made.error().kind == ErrorKind::not_found) return std::nullopt;
  return std::unexpected(made.error());
}

Result<VgpuParams> read_params(const FileReader& files, const VgpuMechanism& vgpu) {
  const auto text = files.read(vgpu.params_path());
  if (!text) return std::unexpected(text.error());
  return parse_vgpu_params(*text);
}

bool are_set(const VgpuParams& now, const Arguments& wanted) {
  return has_all(now, wanted.params) &&
         std::ranges::none_of(wanted.dropped, [&](const auto& key) { return now.contains(key); });
}

Result<bool> has_params(const FileReader& files, const VgpuMechanism& vgpu, const Arguments& wanted) {
  if (wanted.params.empty() && wanted.dropped.empty()) return true;
  const auto now = read_params(files, vgpu);
  if (!now) return std::unexpected(now.error());
  return are_set(*now, wanted);
}

/// A write to a device that a guest has may never return.
Result<void> check_unused(const HostView& host, const VgpuMechanism& vgpu, const Arguments& wanted) {
  if (const auto holders = vgpu.holders(host); !holders.empty())
    return fail(ErrorKind::busy,
                fmt::format("vGPU {} is in use by {}", wanted.shown(), sentence_of(holders.front())),
                "end its use, then apply again");
  const auto usage = usage_of(host);
  if (usage->unknown()) return std::unexpected(*usage->unknown());
  return {};
}

Result<void> set_params(Host& host, const VgpuMechanism& vgpu, const Arguments& wanted) {
  const auto set = has_params(host.view.files, vgpu, wanted);
  if (!set) return std::unexpected(set.error());
  if (*set) return {};
  if (auto unused = check_unused(host.view, vgpu, wanted); !unused) return unused;
  auto params = read_params(host.view.files, vgpu);
  if (!params) return std::unexpected(params.error());
  for (const auto& key : wanted.dropped) params->erase(key);
  for (const auto& [key, value] : wanted.params) params->insert_or_assign(key, value);
  if (auto written = host.files.write_attribute(vgpu.params_path(), to_text(*params)); !written)
    return std::unexpected(Error(written.error())
                               .within(fmt::format("the driver refuses the parameters '{}' of vGPU {}",
                                                   to_text(*params), wanted.shown())));
  const auto read_back = has_params(host.view.files, vgpu, wanted);
  if (!read_back) return std::unexpected(read_back.error());
  if (!*read_back)
    return fail(ErrorKind::mismatch,
                fmt::format("the parameters of vGPU {} were written as '{}' and read back otherwise",
                            wanted.shown(), to_text(*params)),
                "see NVIDIA's vGPU user guide for the parameters that this driver knows");
  return {};
}

bool is_as_wanted(const VgpuMechanism::Made& made, const Arguments& wanted) {
  return made.parent == *wanted.parent && catalog::same_type(made.type, wanted.type);
}

Result<void> create(Host& host, const VgpuMechanism& vgpu, const Arguments& wanted) {
  if (!wanted.parent || wanted.type.empty())
    return fail(ErrorKind::invalid,
                fmt::format("the step that makes vGPU {} does not say of which type and where",
                            wanted.uuid.to_string()));
  const auto made = made_now(vgpu, host.view);
  if (!made) return std::unexpected(made.error());
  if (*made && !is_as_wanted(**made, wanted))
    return fail(ErrorKind::mismatch,
                fmt::format("vGPU {} is one of type {} on {} already", wanted.shown(),
                            (**made).type.empty() ? "that cannot be told" : short_type((**made).type),
                            (**made).parent.to_string()),
                "plan again: it is to be removed first");
  if (!*made)
    if (auto done = vgpu.make(wanted.type, host); !done) return done;
  return set_params(host, vgpu, wanted);
}

Result<void> remove(Host& host, const VgpuMechanism& vgpu, const Arguments& wanted) {
  const auto made = made_now(vgpu, host.view);
  if (!made) return std::unexpected(made.error());
  if (!*made) return {};
  if (auto unused = check_unused(host.view, vgpu, wanted); !unused) return unused;
  return vgpu.take_away(host);
}

}  // namespace

Result<bool> Vgpu::satisfied(const StepAction& action, const HostView& host) const {
  const auto arguments = read_arguments(action.arguments);
  if (!arguments) return no_such_step(action);
  if (action.verb == "forget") return true;
  const auto vgpu = vgpu_mechanism(host.files, arguments->uuid, arguments->parent);
  if (action.verb == "set_params") return has_params(host.files, *vgpu, *arguments);
  if (action.verb != "remove" && (action.verb != "create" || !arguments->parent)) return no_such_step(action);
  const auto made = made_now(*vgpu, host);
  if (!made) return std::unexpected(made.error());
  if (action.verb == "remove") return !*made;
  if (!*made || !is_as_wanted(**made, *arguments)) return false;
  return has_params(host.files, *vgpu, *arguments);
}

Result<std::optional<Undo>> Vgpu::undo_of(const StepAction& action, const HostView& host) const {
  const auto arguments = read_arguments(action.arguments);
  if (!arguments) return no_such_step(action);
  Undo back{action};
  if (action.verb == "forget") return back;
  const auto vgpu = vgpu_mechanism(host.files, arguments->uuid, arguments->parent);
  const auto made = made_now(*vgpu, host);
  if (!made) return std::unexpected(made.error());
  back.action.arguments = {{"uuid", arguments->uuid.to_string()}};
  if (arguments->parent) back.action.arguments["parent"] = arguments->parent->to_string();
  if (!*made) {
    back.action.verb = "remove";
    return back;
  }
  const auto params = read_params(host.files, *vgpu);
  if (!params && params.error().kind != ErrorKind::not_found) return std::unexpected(params.error());
  const auto now = params.value_or(VgpuParams{});
  Json dropped = Json::array();
  for (const auto& [key, value] : arguments->params)
    if (!now.contains(key)) dropped.push_back(key);
  back.action.verb = action.verb == "remove" ? "create" : "set_params";
  back.action.arguments["params"] = now;
  back.action.arguments["dropped"] = std::move(dropped);
  if (action.verb != "remove") return back;
  if ((**made).type.empty()) return std::nullopt;  // nobody knows what to make again
  back.action.arguments["type"] = short_type((**made).type);
  back.action.arguments["parent"] = (**made).parent.to_string();
  return back;
}

Result<void> Vgpu::run(const StepAction& action, Host& host) const {
  const auto arguments = read_arguments(action.arguments);
  if (!arguments) return no_such_step(action);
  if (action.verb == "forget") return {};
  const auto vgpu = vgpu_mechanism(host.view.files, arguments->uuid, arguments->parent);
  if (action.verb == "create") return create(host, *vgpu, *arguments);
  if (action.verb == "remove") return remove(host, *vgpu, *arguments);
  if (action.verb == "set_params") return set_params(host, *vgpu, *arguments);
  return no_such_step(action);
}

}  // namespace gpuhost
