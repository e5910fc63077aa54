#include "host/sim/decode_host_value.hpp"

#include <array>

#include "host/sim/decode_host_entry.hpp"

namespace gpuhost {

namespace {

/// Those that an observation can end with.
const std::array error_words = {
    Word<ErrorKind>{to_string(ErrorKind::invalid), ErrorKind::invalid},
    Word<ErrorKind>{to_string(ErrorKind::not_found), ErrorKind::not_found},
    Word<ErrorKind>{to_string(ErrorKind::unsupported), ErrorKind::unsupported},
    Word<ErrorKind>{to_string(ErrorKind::denied), ErrorKind::denied},
    Word<ErrorKind>{to_string(ErrorKind::timed_out), ErrorKind::timed_out},
    Word<ErrorKind>{to_string(ErrorKind::unavailable), ErrorKind::unavailable},
    Word<ErrorKind>{to_string(ErrorKind::io), ErrorKind::io},
};

}  // namespace

std::vector<std::string> words_in(const Value& value) {
  std::vector<std::string> found;
  for (const auto& item : value ? value.list().value_or(std::vector<Value>{}) : std::vector<Value>{}) {
    if (auto text = item.text()) found.push_back(std::move(*text));
  }
  return found;
}

bool is_true(const Value& value) {
  return value && value.boolean().value_or(false);
}

std::optional<Error> decode_error(const Value& value) {
  if (!value) return std::nullopt;
  Error error{ErrorKind::unavailable, {}};
  if (is_scalar(value)) {
    error.message = value.text().value_or("");
    return error;
  }
  auto reader = value.mapping();
  error.message = reader.required("reason").text().value_or("");
  if (const auto advice = reader.at("advice")) error.advice = advice.text().value_or("");
  if (const auto kind = reader.at("kind"))
    error.kind = kind.word<ErrorKind>(error_words).value_or(error.kind);
  return error;
}

}  // namespace gpuhost
