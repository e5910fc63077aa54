"""Black-box tests of the licence of a host: what is told of it, and that its token never is."""
import pathlib
import subprocess
import sys
import unittest

import gpu_hosts_test
from gpu_hosts_test import HEAD, HostTest

SECRET = "eyJhbGciOiJSUzI1NiJ9.dG9rZW4"
TOKEN = "srv/licences/a.tok"
LICENSE = f"license: {{feature: vws, server: lic.example.org, tokenFile: /{TOKEN}}}\n"


class Verdicts(HostTest):
    name = "render-a40-pair"
    by_server = HEAD % "stop-units" + "license: {server: lic.example.org, port: 7070, feature: vws}\n"

    def test_a_host_is_licensed_by_the_daemon_that_is_restarted(self):
        self.assertIn("license.state: is unlicensed", self.gpuhost("verify", self.by_server, expect=2).stdout)
        self.assertEqual(self.observed()["license"]["state"], "unlicensed")
        self.applied(self.by_server)
        self.assertIn("license.state: licensed", self.gpuhost("verify", self.by_server).stdout)
        self.assertEqual(self.observed()["license"], {
            "ServerAddress": "lic.example.org", "ServerPort": "7070", "FeatureType": "2", "daemon": "active",
            "state": "licensed"})

    def test_without_a_licence_nothing_is_to_do_and_verify_says_so(self):
        self.applied(self.by_server)
        self.host.write_text(self.host.read_text().replace("licensed: true", "licensed: false"))
        self.gpuhost("plan", self.by_server, "--detailed-exitcode")
        self.assertIn("journalctl -u nvidia-gridd.service", self.gpuhost("verify", self.by_server, expect=2).stdout)

    def test_a_driver_that_does_not_answer_is_unknown(self):
        self.applied(self.by_server)
        self.host.write_text(self.host.read_text().replace(
            "  gpus:\n", "  gpus:\n    unknown: version mismatch\n", 1))
        self.assertIn("unknown   license.state", self.gpuhost("verify", self.by_server, expect=69).stdout)

    def test_what_is_in_a_guest_is_refused_with_the_reason(self):
        guest = HEAD % "stop-guests" + f"vms: [{{name: desk-01, license: {{feature: vws, tokenFile: /{TOKEN}}}}}]\n"
        told = self.gpuhost("plan", guest, expect=7).stdout
        self.assertIn("vm[desk-01].license: not supported by this version", told)
        self.assertIn("changed through its agent", told)


class Secrets(HostTest):
    """On real files, so that all that is written can be searched."""
    name = "render-a40-pair"

    def setUp(self):
        super().setUp()
        self.root = self.directory / "root"
        for folder in ("etc/nvidia", "etc/modprobe.d", "lib/modules", "run/gpuhost", "srv/licences"):
            (self.root / folder).mkdir(parents=True)
        (self.root / "etc/hostname").write_text("image\n")
        self.config = self.root / "etc/nvidia/gridd.conf"
        self.config.write_text(f"# {SECRET}\nFeatureType=0\nProxyCredentials={SECRET}\n")
        self.token = self.root / TOKEN
        self.token.write_text(SECRET)
        self.token.chmod(0o744)
        self.document = self.directory / "document.yaml"
        self.document.write_text(HEAD % "none" + LICENSE)
        self.told = ""

    def on_root(self, verb, *arguments, codes=(0,)):
        done = subprocess.run([gpu_hosts_test.GPUHOST, verb, "--root", self.root, *arguments], capture_output=True,
                              encoding="utf-8", stdin=subprocess.DEVNULL, timeout=60, check=False)
        self.assertIn(done.returncode, codes, f"{verb} {arguments}\n{done.stdout}\n{done.stderr}")
        self.told += done.stdout + done.stderr

    def written(self):
        """All files that there are, but those with the secret by nature."""
        files = [path for path in [*self.root.rglob("*"), *self.directory.glob("*")]
                 if path.is_file() and path not in (self.token, self.config)]
        return "".join(path.read_text(encoding="utf-8", errors="replace") for path in files)

    def test_the_token_is_in_no_output_and_no_record(self):
        document = ("-f", self.document)
        for form in ("text", "json", "markdown", "dot", "svg"):
            self.on_root("plan", *document, "-o", form)
        self.on_root("plan", *document, "--out", self.directory / "saved.plan")
        self.on_root("apply", *document, "--yes", "-o", "json", "-v", codes=(69,))
        self.assertEqual(self.config.read_text(), f"# {SECRET}\nServerAddress=lic.example.org\nFeatureType=2\n"
                                                  f"ProxyCredentials={SECRET}\nClientConfigTokenPath=/srv/licences\n")
        self.on_root("verify", *document, "-v", codes=(69,))
        self.on_root("observe", "-o", "json", "--record", self.directory / "recorded.yaml")
        self.on_root("export")
        self.on_root("status")
        ownership = (self.root / "var/lib/gpuhost/ownership.json").read_text()
        self.assertIn("license.tokenFile", ownership)
        self.assertNotIn(SECRET, self.told + self.written())
        self.on_root("release", "--yes")
        self.assertEqual(self.config.read_text(), f"# {SECRET}\nFeatureType=0\nProxyCredentials={SECRET}\n")
        self.assertEqual(self.token.read_text(), SECRET)
        self.assertNotIn(SECRET, self.told + self.written())


if __name__ == "__main__":
    gpu_hosts_test.GPUHOST, gpu_hosts_test.EXAMPLES = sys.argv[1], pathlib.Path(sys.argv[2])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
