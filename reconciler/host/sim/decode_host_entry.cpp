#include "host/sim/decode_host_entry.hpp"

#include <algorithm>

#include <fmt/core.h>

#include "base/text.hpp"
#include "document/formats.hpp"
#include "document/messages.hpp"
#include "host/sim/hex_dump.hpp"

namespace gpuhost {

namespace {

using Entries = std::map<std::string, HostFile::Entry>;

constexpr unsigned largest_dump = 65536;

/// A path without empty, `.` and `..` parts, so that one file has one name.
bool is_plain_path(std::string_view path) {
  if (!path.starts_with('/')) return false;
  if (path == "/") return true;
  return std::ranges::none_of(split(path.substr(1), '/'),
                              [](auto part) { return part.empty() || part == "." || part == ".."; });
}

unsigned decode_mode(const Value& value) {
  const auto text = decode_text(value);
  if (!text) return 0644;
  const bool octal =
      !text->empty() && text->size() <= 4 && text->find_first_not_of("01234567") == std::string::npos;
  if (!octal) {
    value.report(messages::malformed, fmt::format("'{}' is not a file mode", *text), "write it as 0644");
    return 0644;
  }
  unsigned mode = 0;
  for (const char digit : *text) mode = mode * 8 + static_cast<unsigned>(digit - '0');
  return mode;
}

HostFile::Text decode_hex(MapReader& reader) {
  const auto dump = reader.at("hex");
  const auto size = reader.required("size").integer(0, largest_dump).value_or(0);
  auto bytes = read_hex_dump(decode_text(dump).value_or(""), size);
  if (!bytes) {
    dump.report(messages::malformed, fmt::format("this is no hexadecimal dump of at most {} bytes", size),
                "write lines of OFFSET: xx xx …, as lspci -x does");
  }
  return {bytes.value_or(""), decode_mode(reader.at("mode"))};
}

/// `key: true` says what sort of file it is.
void expect_true(const Value& value) {
  if (value.boolean() == false)
    value.report(messages::malformed, "only true makes sense here", "leave the entry out");
}

HostFile::Entry decode_entry(const Value& value) {
  if (is_scalar(value)) {
    auto text = *decode_text(value);
    // Most files are one line; a line end in every entry would hide what matters.
    const bool one_line = !text.empty() && text.find('\n') == std::string::npos;
    return HostFile::Text{one_line ? text + "\n" : text};
  }
  auto reader = value.mapping();
  const auto sort =
      reader.exactly_one({"text", "hex", "sha256", "link", "directory", "device", "unreadable"});
  if (sort == "hex") return decode_hex(reader);
  if (sort == "sha256")
    return HostFile::Large{reader.at("sha256").text(formats::sha256).value_or(""),
                           decode_mode(reader.at("mode"))};
  if (sort == "link") return HostFile::Link{reader.at("link").text().value_or("")};
  if (sort == "directory" || sort == "device") {
    expect_true(reader.at(*sort));
    return sort == "device" ? HostFile::Entry(HostFile::Device{}) : HostFile::Entry(HostFile::Directory{});
  }
  if (sort == "unreadable") {
    const auto is = [&](const char* key) {
      const auto given = reader.at(key);
      return given && given.boolean().value_or(false);
    };
    return HostFile::Unreadable{reader.at("unreadable").text().value_or(""), is("permission"), is("unseen")};
  }
  return HostFile::Text{decode_text(reader.at("text")).value_or(""), decode_mode(reader.at("mode"))};
}

void add(const NamedValue& named, const std::string& path, Entries& entries) {
  if (!is_plain_path(path)) {
    named.key.report(messages::malformed,
                     fmt::format("'{}' is not an absolute path without '.' and '..'", path));
  } else if (!entries.emplace(path, decode_entry(named.value)).second) {
    named.key.report(messages::duplicate_key, fmt::format("the file {} stands here twice", path));
  }
}

void add_directory(const NamedValue& directory, Entries& entries) {
  const auto inside = directory.value.entries();
  if (!inside) return;
  if (inside->empty())
    entries.emplace(directory.name.substr(0, directory.name.size() - 1), HostFile::Directory{});
  for (const auto& named : *inside) {
    if (named.name.find('/') != std::string::npos) {
      named.key.report(messages::malformed, fmt::format("'{}' is not the name of a file", named.name),
                       "write files of another directory under a path of their own");
    } else {
      add(named, directory.name + named.name, entries);
    }
  }
}

}  // namespace

bool is_scalar(const Value& value) {
  return value && value.node()->kind == Node::Kind::scalar;
}

std::optional<std::string> decode_text(const Value& value) {
  if (!value) return std::nullopt;
  if (is_scalar(value)) return value.node()->text;
  value.report(messages::wrong_type, "a single value is needed here");
  return std::nullopt;
}

Entries decode_host_entries(const Value& files) {
  Entries entries;
  const auto given = files.entries();
  if (!given) return entries;
  for (const auto& named : *given) {
    if (named.name.ends_with('/')) {
      add_directory(named, entries);
    } else {
      add(named, named.name, entries);
    }
  }
  // A directory exists by what is in it.
  std::erase_if(entries, [&](const auto& entry) {
    const auto next = entries.lower_bound(entry.first + "/");
    return std::holds_alternative<HostFile::Directory>(entry.second) && next != entries.end() &&
           next->first.starts_with(entry.first + "/");
  });
  return entries;
}

}  // namespace gpuhost
