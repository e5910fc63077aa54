#!/usr/bin/env python3
"""Checks what the rooms under reconciler/ may know of each other and of the world.

    rules.py SOURCE_DIR     prints one line for each violation; exits 1 if there is one

A room is a folder under reconciler/. Includes, CMake link targets and some words are read as text, so that a rule
needs no build and names the very line that breaks it.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

# What each room may include and link; a room may always include itself. "kinds/*" stands for every kind, "kinds" for
# the files beside them: the registry and decoding, which know kinds, and what kinds share, which knows none.
MAY_USE = {
    "base": set(),
    "document": {"base"},
    "host": {"base"},
    "host/real": {"base", "host"},
    "host/sim": {"base", "host", "document", "catalog"},
    "catalog": {"base"},
    "inventory": {"base", "host", "catalog"},
    "peers": {"base", "document", "host", "inventory"},
    "engine": {"base", "host"},
    "kinds/*": {"base", "catalog", "document", "engine", "host", "inventory", "kinds"},
    "kinds": {"base", "catalog", "document", "engine", "host", "inventory", "kinds/*"},
    "render": {"base", "engine"},
    "cli": {"base", "catalog", "document", "engine", "host", "host/real", "host/sim", "inventory", "kinds", "kinds/*",
            "peers", "render"},
}

# Headers that a room may include beyond that: plain data that the document spells out.
MAY_INCLUDE = {"document": {"engine/disruption.hpp", "engine/policy.hpp"}}

# External libraries by the one room that may know them: header, link target, room.
LIBRARIES = [
    (r"yaml-cpp/", "yaml-cpp", "document"),
    (r"sdbus-c\+\+/", "SDBusCpp::sdbus-c++", "host/real"),
    (r"libkmod\.h", "PkgConfig::LIBKMOD", "host/real"),
    (r"nvml\.h", None, "host/real"),
    (r"libvirt/", "PkgConfig::LIBVIRT", "host/real"),
    (r"pugixml\.hpp", "pugixml::pugixml", "host"),
    (r"CLI/", "CLI11::CLI11", "cli"),
    (r"spdlog/", "spdlog::spdlog", "cli"),
    (r"(sha1|sha2|sha256|md5)\.h", "PkgConfig::LIBMD", "base"),
]

# Headers of the operating system, and where they are needed: everywhere else the host is reached through the ports.
SYSTEM_HEADER = re.compile(r"(fstream|filesystem|iostream|dirent\.h|dlfcn\.h|fcntl\.h|glob\.h|poll\.h|signal\.h|"
                           r"spawn\.h|unistd\.h|(sys|linux|systemd)/.*)$")
SYSTEM_HEADER_PLACES = ("base/unique_fd.hpp", "engine/run_lock.cpp", "host/real/", "cli/")

PRINTING = re.compile(r"\b(v?f?printf|v?dprintf|puts|putchar|fputs|perror|v?syslog)\s*\(|\b(stdout|stderr)\b|"
                      r"\bstd::(cout|cerr|clog|print|println)\b|\bfmt::print|\bspdlog::")
SHELL = re.compile(r"\b(system|popen)\s*\(")
SLEEP = re.compile(r"\b(sleep|usleep|nanosleep|sleep_for|sleep_until)\s*\(")
WRITERS = re.compile(r"\b(FileWriter|ModuleWriter|UnitWriter|DomainWriter|GpuWriter|CommandRunner|Waiter)\b|"
                     r"\bHost\s*[&*]")
READERS = re.compile(r"\b(HostView|FileReader|ModuleReader|UnitReader|DomainReader|ProcessReader|GpuReader|Clock)\b")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
COMMENT_OR_LITERAL = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'',
                                re.DOTALL)


@dataclass(frozen=True)
class Violation:
    rule: str
    file: str
    line: int
    text: str

    def __str__(self):
        return f"{self.file}:{self.line}: [{self.rule}] {self.text}"


def room_of(path):
    """The room of a path relative to reconciler/, or None for a file in no room."""
    parts = Path(path).parts
    for depth in (2, 1):
        room = "/".join(parts[:depth])
        if len(parts) > depth and (room in MAY_USE or (depth == 2 and parts[0] == "kinds")):
            return room
    return None


def sort_of(room):
    return "kinds/*" if room.startswith("kinds/") and room not in MAY_USE else room


def may_use(room, used):
    return room == used or sort_of(used) in MAY_USE[sort_of(room)]


def without_comments_and_literals(text):
    """The same text with comments and literals blanked, line numbers kept."""
    return COMMENT_OR_LITERAL.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


class SourceFile:
    def __init__(self, root, path):
        self.path = path.relative_to(root / "reconciler").as_posix()
        self.name = path.relative_to(root).as_posix()
        self.room = room_of(self.path)
        text = path.read_text(encoding="utf-8")
        self.code = without_comments_and_literals(text)
        self.includes = [(line_of(text, found.start(1)), found.group(1) == '"', found.group(2))
                         for found in INCLUDE.finditer(text)]

    def violation(self, rule, line, text):
        return Violation(rule, self.name, line, text)

    def words(self, rule, pattern, why):
        for found in pattern.finditer(self.code):
            word = found.group().rstrip("( ")
            yield self.violation(rule, line_of(self.code, found.start()), f"'{word}' {why}")


def check_place(file):
    if file.room is None:
        yield file.violation("rooms", 1, "lies in no room; add its folder to the rules, with what it may use")


def check_arrows(file):
    for line, quoted, header in file.includes:
        if not quoted:
            continue
        used = room_of(header)
        if used is None:
            yield file.violation("arrows", line, f'"{header}" is not named from reconciler/, or lies in no room')
        elif not may_use(file.room, used) and header not in MAY_INCLUDE.get(file.room, ()):
            yield file.violation("arrows", line, f'{file.room} must not include "{header}"')


def check_kinds_apart(files):
    """No kind reaches another one, not even through what lies beside the kinds."""
    included = {file.path: [header for _, quoted, header in file.includes if quoted] for file in files}
    for file in files:
        if sort_of(file.room or "") != "kinds/*":
            continue
        for line, _, header in file.includes:
            if room_of(header) == "kinds":
                others = {room_of(path) for path in everything_below(header, included)} - {file.room}
                for other in sorted(room for room in others if room and sort_of(room) == "kinds/*"):
                    yield file.violation("arrows", line, f'{file.room} reaches {other} through "{header}"')


def everything_below(header, included):
    found, waiting = set(), [header]
    while waiting:
        at = waiting.pop()
        if at not in found:
            found.add(at)
            waiting += included.get(at, [])
    return found


def check_libraries(file):
    for line, _, header in file.includes:
        for pattern, _, room in LIBRARIES:
            if re.match(pattern, header) and file.room != room:
                yield file.violation("libraries", line, f"<{header}> belongs to {room} alone")


def check_system_headers(file):
    for line, quoted, header in file.includes:
        if not quoted and SYSTEM_HEADER.match(header) and not file.path.startswith(SYSTEM_HEADER_PLACES):
            yield file.violation("ports", line, f"<{header}> goes past the ports in host/")


def check_words(file):
    if file.room != "cli":
        yield from file.words("silence", PRINTING, "prints or logs outside cli")
    yield from file.words("no shell", SHELL, "starts a shell; run a Command")
    yield from file.words("no sleep", SLEEP, "waits for nothing; wait for an event or a deadline")


def check_purity(file):
    if not file.room.startswith("kinds/"):
        return
    name = Path(file.path).name
    if name.startswith("plan"):
        yield from file.words("pure planning", WRITERS, "in planning, which gets values only")
        yield from file.words("pure planning", READERS, "in planning, which gets values only")
    if name.startswith("observe"):
        yield from file.words("pure observing", WRITERS, "in observing, which gets readers only")


def source_files(root):
    for path in sorted((root / "reconciler").rglob("*")):
        if path.suffix in (".cpp", ".hpp"):
            yield SourceFile(root, path)


def check_sources(files):
    for file in files:
        yield from check_place(file)
        if file.room is None:
            continue
        for check in (check_arrows, check_libraries, check_system_headers, check_words, check_purity):
            yield from check(file)


COMMAND = re.compile(r"^\s*(gpuhost_room|add_library|target_link_libraries)\s*\(([^)]*)\)", re.MULTILINE)
SCOPES = ("PUBLIC", "PRIVATE", "INTERFACE")


@dataclass
class Link:
    file: str
    line: int
    folder: str  # where it is asked for
    target: str
    scope: str
    to: str


def read_links(root):
    """Every link that the CMake files under reconciler/ ask for, and the folder that makes each target."""
    links, folder_of = [], {}
    for path in sorted([*(root / "reconciler").rglob("CMakeLists.txt"), *(root / "reconciler").rglob("*.cmake")]):
        text = re.sub(r"#[^\n]*", "", path.read_text(encoding="utf-8"))
        folder = path.parent.relative_to(root / "reconciler").as_posix()
        for found in COMMAND.finditer(text):
            command, words = found.group(1), found.group(2).split()
            target = ("gpuhost_" if command == "gpuhost_room" else "") + words[0]
            if command != "target_link_libraries":
                folder_of[target] = folder
            if command == "add_library":
                continue
            scope = None
            for word in words[1:]:
                if word in SCOPES or word == "SOURCES":
                    scope = word
                elif scope in SCOPES:
                    links.append(Link(path.relative_to(root).as_posix(), line_of(text, found.start(1)), folder,
                                      target, scope, word))
    return links, folder_of


def check_links(links, folder_of):
    home = {target: room for _, target, room in LIBRARIES if target}
    for link in links:
        room = room_of(f"{link.folder}/CMakeLists.txt")
        if link.to in home and (room != home[link.to] or link.scope != "PRIVATE"):
            yield Violation("link targets", link.file, link.line,
                            f"{link.to} must be a PRIVATE library of {home[link.to]}")
        if link.to.startswith("gpuhost_"):
            used = room_of(f"{folder_of.get(link.to, '')}/CMakeLists.txt")
            if room is None or used is None or not may_use(room, used):
                yield Violation("link targets", link.file, link.line, f"{link.target} must not link {link.to}")


def reachable(target, links):
    """The targets whose headers a target gets: its own links, and what those link PUBLIC."""
    found, waiting = set(), [link.to for link in links if link.target == target]
    while waiting:
        at = waiting.pop()
        if at not in found:
            found.add(at)
            waiting += [link.to for link in links if link.target == at and link.scope != "PRIVATE"]
    return found


def library_folder(path, folder_of):
    """The innermost folder above a file that makes a library."""
    made = set(folder_of.values())
    return next((parent.as_posix() for parent in Path(path).parents if parent.as_posix() in made), None)


def check_includes_are_linked(files, links, folder_of):
    for file in files:
        own = library_folder(file.path, folder_of)
        got = {own}
        for target in (target for target, folder in folder_of.items() if folder == own):
            got |= {folder_of[to] for to in reachable(target, links) if to in folder_of}
        for line, quoted, header in file.includes:
            used = library_folder(header, folder_of)
            by_value = header in MAY_INCLUDE.get(file.room, ())
            if quoted and own and used and used not in got and not by_value:
                yield file.violation("link targets", line, f'"{header}" is included, but {used} is not linked')


def violations(root):
    root = Path(root)
    files = list(source_files(root))
    links, folder_of = read_links(root)
    return [*check_sources(files), *check_kinds_apart(files), *check_links(links, folder_of),
            *check_includes_are_linked(files, links, folder_of)]


def main():
    if len(sys.argv) != 2 or not (Path(sys.argv[1]) / "reconciler").is_dir():
        print(__doc__, file=sys.stderr)
        return 64
    found = violations(sys.argv[1])
    for violation in found:
        print(violation)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
