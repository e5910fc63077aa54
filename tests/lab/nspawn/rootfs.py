"""The root tree that containers boot: a minimal Debian 12 with systemd, D-Bus and the libraries gpuhost links."""

import pathlib

import cache
import debian

PACKAGES = ["libgtest-dev", "libasan8", "libubsan1"]


def ensure():
    """The tree, built if it is not there yet."""
    return cache.kept("container-" + cache.key(pathlib.Path(__file__), pathlib.Path(debian.__file__)), build)


def build(tree):
    cache.build_command("mmdebstrap", debian.command(tree, PACKAGES, []), debian.BUILD_LIMIT)
