#!/usr/bin/env python3
"""Proves that each rule of rules.py can fail, and that a house in order passes."""

import tempfile
import unittest
from pathlib import Path

import rules

HOUSE = {
    "reconciler/CMakeLists.txt": "add_subdirectory(base)\n",
    "reconciler/base/CMakeLists.txt": "gpuhost_room(base SOURCES a.cpp PUBLIC fmt::fmt PRIVATE PkgConfig::LIBMD)\n",
    "reconciler/base/a.cpp": "#include <sha2.h>\n",
    "reconciler/base/text.hpp": "",
    "reconciler/document/CMakeLists.txt": "gpuhost_room(document SOURCES a.cpp PUBLIC gpuhost_base PRIVATE yaml-cpp)\n",
    "reconciler/document/a.cpp": '#include "engine/policy.hpp"\n#include <yaml-cpp/yaml.h>\n',
    "reconciler/document/node.hpp": "",
    "reconciler/host/CMakeLists.txt": "gpuhost_room(host SOURCES files.cpp PUBLIC gpuhost_base)\n",
    "reconciler/host/files.hpp": '#include "base/text.hpp"\n',
    "reconciler/host/real/CMakeLists.txt": "gpuhost_room(real SOURCES a.cpp PUBLIC gpuhost_host\n"
                                           "             PRIVATE PkgConfig::LIBKMOD)\n",
    "reconciler/host/real/a.cpp": '#include <libkmod.h>\n#include <sys/stat.h>\n#include "base/text.hpp"\n',
    "reconciler/engine/CMakeLists.txt": "gpuhost_room(engine SOURCES a.cpp PUBLIC gpuhost_host)\n",
    "reconciler/engine/policy.hpp": '#include "base/text.hpp"\n',
    "reconciler/engine/a.cpp": '#include "host/files.hpp"\n// std::cout << "printf(" in a comment\n',
    "reconciler/kinds/CMakeLists.txt": "gpuhost_room(kinds SOURCES a.cpp PUBLIC gpuhost_engine gpuhost_document)\n",
    "reconciler/kinds/registry.cpp": '#include "kinds/units/units.hpp"\n',
    "reconciler/kinds/state_file.hpp": "",
    "reconciler/kinds/units/units.hpp": '#include "engine/policy.hpp"\n#include "kinds/state_file.hpp"\n',
    "reconciler/kinds/units/plan.cpp": '#include "kinds/units/units.hpp"\nauto text = "Host& printf(1)";\n',
    "reconciler/kinds/modules/modules.hpp": "",
    "reconciler/cli/CMakeLists.txt": "add_executable(gpuhost main.cpp)\n"
                                     "target_link_libraries(gpuhost PRIVATE gpuhost_kinds CLI11::CLI11)\n",
    "reconciler/cli/main.cpp": '#include <CLI/CLI.hpp>\n#include "kinds/units/units.hpp"\nint x = printf("");\n',
}


class RulesTest(unittest.TestCase):
    def violations(self, changes=None):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in (HOUSE | (changes or {})).items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return rules.violations(folder)

    def assert_breaks(self, rule, file, text, line=1):
        found = self.violations({file: text})
        self.assertEqual([(v.rule, v.file, v.line) for v in found], [(rule, file, line)], [str(v) for v in found])

    def test_a_house_in_order_passes(self):
        self.assertEqual(self.violations(), [])

    def test_a_file_in_no_room(self):
        self.assert_breaks("rooms", "reconciler/utils/a.cpp", "")

    def test_a_kind_includes_a_kind(self):
        self.assert_breaks("arrows", "reconciler/kinds/units/a.cpp", '\n#include "kinds/modules/modules.hpp"\n', 2)

    def test_a_kind_reaches_a_kind_through_what_kinds_share(self):
        found = self.violations({"reconciler/kinds/state_file.hpp": '#include "kinds/deeper.hpp"\n',
                                 "reconciler/kinds/deeper.hpp": '#include "kinds/modules/modules.hpp"\n'})
        self.assertEqual([(v.rule, v.file, v.line) for v in found], [("arrows", "reconciler/kinds/units/units.hpp", 2)])

    def test_the_engine_includes_a_kind(self):
        found = self.violations({"reconciler/engine/b.cpp": '#include "kinds/units/units.hpp"\n'})
        self.assertEqual({v.rule for v in found}, {"arrows", "link targets"})

    def test_the_ports_include_an_adapter(self):
        found = self.violations({"reconciler/host/b.cpp": '#include "host/real/a.hpp"\n'})
        self.assertIn("arrows", {v.rule for v in found})

    def test_the_document_includes_more_of_the_engine_than_plain_data(self):
        found = self.violations({"reconciler/document/b.cpp": '#include "engine/plan.hpp"\n'})
        self.assertIn("arrows", {v.rule for v in found})

    def test_an_include_that_is_not_named_from_the_top(self):
        self.assert_breaks("arrows", "reconciler/base/b.cpp", '#include "text.hpp"\n')

    def test_an_external_header_outside_its_room(self):
        for header in ("yaml-cpp/yaml.h", "sdbus-c++/sdbus-c++.h", "libkmod.h", "nvml.h", "libvirt/libvirt.h",
                       "CLI/CLI.hpp", "spdlog/spdlog.h", "pugixml.hpp", "sha2.h"):
            with self.subTest(header):
                self.assert_breaks("libraries", "reconciler/engine/b.cpp", f"#include <{header}>\n")

    def test_the_operating_system_outside_the_ports(self):
        for header in ("fstream", "filesystem", "unistd.h", "fcntl.h", "sys/stat.h"):
            with self.subTest(header):
                self.assert_breaks("ports", "reconciler/kinds/units/b.cpp", f"#include <{header}>\n")

    def test_printing_outside_cli(self):
        for text in ('std::cout << 1;', 'printf("x");', 'std::fprintf(stderr, "x");', 'spdlog::info("x");',
                     'fmt::print("x");', 'puts("x");', 'perror("x");', 'syslog(1, "x");'):
            with self.subTest(text):
                found = self.violations({"reconciler/render/b.cpp": f"\n\n{text}\n"})
                self.assertTrue(found)
                self.assertEqual({(v.rule, v.line) for v in found}, {("silence", 3)})

    def test_formatting_into_memory_is_no_printing(self):
        self.assertEqual(self.violations({"reconciler/render/b.cpp": 'snprintf(a, 1, "x"); fmt::format("x");\n'}), [])

    def test_a_shell(self):
        self.assert_breaks("no shell", "reconciler/host/real/b.cpp", 'int r = std::system("ls");\n')

    def test_a_bare_sleep(self):
        self.assert_breaks("no sleep", "reconciler/host/real/b.cpp", "std::this_thread::sleep_for(1s);\n")

    def test_planning_with_a_port(self):
        for word in ("Host& host", "FileWriter& files", "CommandRunner& run", "const HostView& host",
                     "const FileReader& files"):
            with self.subTest(word):
                self.assert_breaks("pure planning", "reconciler/kinds/units/plan.cpp", f"void f({word});\n")

    def test_observing_with_a_writer(self):
        self.assert_breaks("pure observing", "reconciler/kinds/units/observe.cpp", "void f(Host& host);\n")
        self.assertEqual(self.violations({"reconciler/kinds/units/observe.cpp": "void f(const HostView& host);\n"}), [])

    def test_a_room_that_links_against_the_arrows(self):
        self.assert_breaks("link targets", "reconciler/engine/CMakeLists.txt",
                           "gpuhost_room(engine SOURCES a.cpp PUBLIC gpuhost_host gpuhost_document)\n")

    def test_an_external_library_in_another_room_or_public(self):
        self.assert_breaks("link targets", "reconciler/host/CMakeLists.txt",
                           "gpuhost_room(host SOURCES a.cpp PUBLIC gpuhost_base PRIVATE yaml-cpp)\n")
        self.assert_breaks("link targets", "reconciler/document/CMakeLists.txt",
                           "gpuhost_room(document SOURCES a.cpp PUBLIC gpuhost_base yaml-cpp)\n")

    def test_an_include_of_what_is_not_linked(self):
        found = self.violations({"reconciler/host/CMakeLists.txt": "gpuhost_room(host SOURCES files.cpp)\n"})
        self.assertIn(("link targets", "reconciler/host/files.hpp", 1), [(v.rule, v.file, v.line) for v in found])


if __name__ == "__main__":
    unittest.main()
