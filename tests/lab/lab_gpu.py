"""Compiles qemu/lab_gpu.c against the headers of the installed QEMU, which come with its source package."""

import pathlib
import subprocess

import cache

SOURCE = pathlib.Path(__file__).resolve().parent / "qemu" / "lab_gpu.c"
# What QEMU's own configuration would say of this machine; device code looks at no more.
CONFIG = """\
#define HOST_X86_64 1
#define CONFIG_POSIX 1
#define CONFIG_LINUX 1
#define CONFIG_INT128 1
#define CONFIG_IOVEC 1
#define CONFIG_PREADV 1
#define CONFIG_MADVISE 1
#define CONFIG_SEM_TIMEDWAIT 1
#define CONFIG_TCG 1
"""
FETCH_LIMIT = 180
COMPILE_LIMIT = 60


def output_of(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def version():
    """Of QEMU's source package."""
    return output_of("dpkg-query", "--show", "--showformat=${source:Version}", "qemu-system-x86")


def build(folder):
    """Leaves lab_gpu.so in the folder."""
    sources = folder / "qemu-source"
    fetch_headers(folder / "apt", sources)
    config = folder / "config"
    config.mkdir()
    (config / "config-host.h").write_text(CONFIG)
    (config / "config-poison.h").write_text("")
    glib = output_of("pkg-config", "--cflags", "glib-2.0").split()
    includes = [config, folder / "generated", sources / "include", sources, sources / "linux-headers"]
    cache.build_command("compiling lab_gpu.c", [
        "gcc", "-std=gnu11", "-O1", "-fPIC", "-shared", "-Wall", "-D_GNU_SOURCE", *(f"-I{place}" for place in includes),
        *glib, str(SOURCE), "-o", str(folder / "lab_gpu.so")], COMPILE_LIMIT)


def fetch_headers(lists, sources):
    """From the same archives as the package, in lists of our own: this machine's need not name source packages."""
    (lists / "state").mkdir(parents=True)
    archives = output_of("apt-get", "indextargets", "--format", "deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)",
                         "Identifier: Packages", "Origin: Debian")
    (lists / "sources.list").write_text("\n".join(sorted(set(archives.splitlines()))) + "\n")
    apt = ["apt-get", "-qq", f"-oDir::Etc::SourceList={lists}/sources.list", "-oDir::Etc::SourceParts=/dev/null",
           f"-oDir::State::Lists={lists}/state", "-oAPT::Sandbox::User=root"]
    cache.build_command("reading the lists of source packages", [*apt, "update"], FETCH_LIMIT)
    cache.build_command("fetching QEMU's source", [*apt, "source", "--download-only", f"qemu={version()}"], FETCH_LIMIT,
                        cwd=lists)
    (description,) = lists.glob("qemu_*.dsc")
    cache.build_command("unpacking QEMU's source", ["dpkg-source", "--no-check", "-x", str(description), str(sources)],
                        FETCH_LIMIT)
    cache.build_command("generating QEMU's headers", [
        "python3", "-B", "scripts/qapi-gen.py", "-o", str(lists.parent / "generated/qapi"), "-b",
        "qapi/qapi-schema.json"], COMPILE_LIMIT, cwd=sources)
