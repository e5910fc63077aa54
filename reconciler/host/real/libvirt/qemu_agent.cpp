#include "host/real/libvirt/qemu_agent.hpp"

#include <array>
#include <string_view>

#include <fmt/format.h>
#include <poll.h>

#include "host/real/deadline.hpp"

namespace gpuhost {

namespace {

constexpr std::chrono::seconds answer_limit{10};
constexpr std::chrono::milliseconds between_questions{100};
constexpr std::size_t most_bytes = std::size_t{64} << 10U;

constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 4648, section 4. What is no digit ends the text.
std::string from_base64(std::string_view text) {
  std::string bytes;
  unsigned bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const auto digit = base64_digits.find(c);
    if (digit == std::string_view::npos) break;
    bits = (bits << 6U) | static_cast<unsigned>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>((bits >> count) & 0xffU);
  }
  return bytes;
}

/// What the agent says in words only.
ErrorKind kind_of(const Error& error) {
  const auto says = [&](std::string_view words) { return error.message.contains(words); };
  if (says("has been disabled") || says("not allowed") || says("CommandNotFound") || says("not supported"))
    return ErrorKind::unsupported;
  if (says("No such file") || says("cannot find the")) return ErrorKind::not_found;
  if (says("Permission denied") || says("Access is denied")) return ErrorKind::denied;
  return error.kind;
}

void wait_a_moment() {
  const Deadline moment(between_questions);
  pollfd waits{moment.fd(), POLLIN, 0};
  if (moment.fd() >= 0) (void)::poll(&waits, 1, static_cast<int>(between_questions.count()));
}

/// A member of an answer, which may be of any type.
bool is_true(const Json& answer, const char* key) {
  return answer.is_object() && answer.contains(key) && answer[key] == true;
}

std::string bytes_at(const Json& answer, const char* key) {
  if (!answer.is_object() || !answer.contains(key) || !answer[key].is_string()) return {};
  return from_base64(answer[key].get_ref<const std::string&>());
}

/// -1 where a signal, or an exception of Windows, has ended it.
int exit_code_of(const Json& status) {
  const auto code = status.find("exitcode");
  return code != status.end() && code->is_number_integer() ? code->get<int>() : -1;
}

std::string output_of(const Json& status) {
  std::string output = bytes_at(status, "out-data") + bytes_at(status, "err-data");
  if (output.size() > most_bytes) output.resize(most_bytes);
  return output;
}

}  // namespace

Result<Json> QemuAgent::call(const char* name, Json arguments, const std::string& about) const {
  Json command{{"execute", name}};
  if (!arguments.empty()) command["arguments"] = std::move(arguments);
  const auto answer = ask_(command.dump(), answer_limit);
  if (!answer) {
    const auto& error = answer.error();
    const auto kind = kind_of(error);
    return fail(kind,
                fmt::format("the agent of {} does not answer {}{}: {}", guest_, name, about, error.message),
                kind == ErrorKind::unsupported
                    ? fmt::format("allow {} in the guest's configuration of qemu-guest-agent", name)
                    : error.advice);
  }
  auto json = Json::parse(*answer, nullptr, false);
  if (!json.is_object() || !json.contains("return"))
    return fail(ErrorKind::unavailable,
                fmt::format("the agent of {} answers {} with what is no answer of an agent", guest_, name));
  return std::move(json["return"]);
}

Result<std::string> QemuAgent::operating_system() const {
  const auto info = call("guest-get-osinfo", Json::object(), "");
  if (!info) return std::unexpected(info.error());
  if (!info->is_object() || !info->contains("id") || !(*info)["id"].is_string()) return std::string();
  return (*info)["id"].get<std::string>();
}

Result<std::string> QemuAgent::read(const std::string& path) const {
  const auto handle = call("guest-file-open", {{"path", path}, {"mode", "r"}}, " for " + path);
  if (!handle) return std::unexpected(handle.error());
  auto text = read_opened(*handle, path);
  (void)call("guest-file-close", {{"handle", *handle}}, " for " + path);  // the agent closes it when it ends
  return text;
}

Result<std::string> QemuAgent::read_opened(const Json& handle, const std::string& path) const {
  std::string text;
  while (text.size() < most_bytes) {
    const auto part =
        call("guest-file-read", {{"handle", handle}, {"count", most_bytes - text.size()}}, " for " + path);
    if (!part) return std::unexpected(part.error());
    const auto bytes = bytes_at(*part, "buf-b64");
    text += bytes;
    if (bytes.empty() || is_true(*part, "eof")) break;
  }
  if (text.size() > most_bytes) text.resize(most_bytes);
  return text;
}

Result<CommandResult> QemuAgent::run(const Command& command) const {
  const auto& program = command.argv.front();
  const auto started = call("guest-exec",
                            {{"path", program},
                             {"arg", std::vector(command.argv.begin() + 1, command.argv.end())},
                             {"capture-output", true}},
                            " for " + program);
  if (!started) return std::unexpected(started.error());
  if (!started->is_object() || !started->contains("pid") || !(*started)["pid"].is_number_integer())
    return fail(ErrorKind::unavailable, fmt::format("the agent of {} does not say what it started", guest_));
  const Deadline deadline(command.limit);
  while (true) {
    const auto status = call("guest-exec-status", {{"pid", (*started)["pid"]}}, " for " + program);
    if (!status) return std::unexpected(status.error());
    if (is_true(*status, "exited")) return CommandResult{exit_code_of(*status), output_of(*status)};
    if (deadline.passed())
      return fail(ErrorKind::timed_out, fmt::format("{} in {} has not ended within {} s, and runs on there",
                                                    program, guest_, command.limit.count()));
    wait_a_moment();
  }
}

}  // namespace gpuhost
