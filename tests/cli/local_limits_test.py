"""What a host's own local.yaml lets documents do."""
import json
import sys
import unittest

import cli_test
from cli_test import MODULE, PARAMETER, STOP, STOP_ALLOWED, CommandTest, document

HEAD = "apiVersion: gpuhost/v1\nkind: HostLimits\n"
PATH = "/etc/gpuhost/local.yaml"


class LocalLimits(CommandTest):
    def give(self, entry):
        """Gives the recorded host a local.yaml, in place of one that it was given."""
        lines = [line for line in self.host.read_text().splitlines() if not line.startswith(f"  {PATH}:")]
        lines.insert(lines.index("files:") + 1, f"  {PATH}: {entry}")
        self.host.write_text("\n".join(lines) + "\n")

    def limit(self, text, head=HEAD):
        self.give(json.dumps(head + text))

    def test_no_document_raises_the_disruption(self):
        self.limit("disruption: remove-idle\n")
        plan = json.loads(self.on_host("plan", document(STOP_ALLOWED, STOP), "-o", "json", expect=7).stdout)
        self.assertEqual(plan["summary"]["allowed"], "remove-idle")
        self.assertIn(f"{PATH} of this host lets no document do more than remove-idle", plan["changes"][0]["blocked_by"][0])
        self.assertIn(f"{PATH} of this host allows disruption remove-idle, not stop-units",
                      [note["message"] for note in plan["diagnostics"]])
        before = self.host.read_text()
        self.apply(document(STOP_ALLOWED, STOP), "--allow", "reboot", expect=7)
        self.assertEqual(self.host.read_text(), before)

    def test_a_document_that_asks_for_less_hears_nothing_of_it(self):
        self.limit("disruption: reboot\n")
        done = self.on_host("plan", document(STOP), expect=7)
        self.assertIn("set policy.disruption to stop-units to allow it", done.stdout)
        self.assertNotIn(PATH, done.stdout)

    def test_no_reboot_where_the_host_forbids_it(self):
        self.limit("disruption: stop-guests\n")
        self.apply(document("policy: {disruption: reboot}\n", PARAMETER), "--reboot", expect=3)

    def test_only_what_is_listed_of_the_kernel(self):
        self.limit("kernel: {parameters: ['*_iommu'], modules: []}\n")
        plan = json.loads(self.on_host("plan", document(
            "kernel: {parameters: {iommu: pt, amd-iommu: 'on'}, modules: {vfio-pci: {state: loaded}}}\n"),
            "-o", "json", expect=7).stdout)
        said = {note["address"]: note for note in plan["diagnostics"] if note["severity"] == "error"}
        self.assertEqual(list(said), ["kernel.parameters[iommu]", "kernel.modules[vfio_pci]"])
        self.assertIn(f"{PATH} of this host does not allow iommu", said["kernel.parameters[iommu]"]["message"])
        self.assertEqual(said["kernel.modules[vfio_pci]"]["advice"], "it allows none")

    def test_what_a_mode_implies_is_no_way_round(self):
        self.limit("kernel: {modules: [nouveau]}\n")
        done = self.on_host("plan", document("gpus: [{match: {address: '0000:41:00.0'}, mode: passthrough}]\n"), expect=7)
        self.assertIn("does not allow vfio_pci", done.stdout)

    def test_only_listed_sources(self):
        self.limit("sources: ['/srv/nvidia/*']\n")
        text = "driver: {flavor: vgpu-manager, version: 580.159.01, source: {runfile: %s, sha256: '" + "0" * 64 + "'}}\n"
        for path, refused in (("/srv/nvidia/a/x.run", False), ("/tmp/x.run", True)):
            done = self.on_host("plan", document(text % path), expect=7)
            self.assertEqual(f"does not allow {path}" in done.stdout, refused, done.stdout)

    def test_what_was_set_before_can_be_given_back(self):
        self.apply(document(MODULE), expect=0)
        self.limit("kernel: {modules: []}\n")
        self.apply(document(MODULE), expect=7)
        self.run_gpuhost("release", "--host", self.host, "--yes", expect=0)

    def test_release_is_held_to_it_too(self):
        stopped = self.host.read_text().replace("{state: active, enabled: true}", "{state: inactive, enabled: true}")
        self.host.write_text(stopped)
        self.apply(document("units: {ollama.service: {state: active}}\n"), expect=0)
        self.limit("disruption: none\n")
        done = self.run_gpuhost("release", "--host", self.host, "--yes", "--allow", "stop-units", expect=7)
        self.assertIn("lets no document do more than none", done.stdout)

    def test_a_saved_plan_is_stale_once_the_host_allows_less(self):
        saved = self.directory / "reviewed.plan"
        self.on_host("plan", document(STOP_ALLOWED, STOP), "--out", saved, expect=0)
        self.limit("disruption: none\n")
        self.run_gpuhost("apply", saved, "--host", self.host, "--yes", expect=6)

    def test_mistakes_are_located_and_65(self):
        for text, told in (("disruptoin: none\n", f"{PATH}:3:1: unknown key 'disruptoin'"),
                           ("disruption: some\n", f"{PATH}:3:13: "),
                           ("kernel: {parameters: ['a b']}\n", "is not a pattern of names"),
                           ("kernel: {modules: vfio-pci}\n", f"{PATH}:3:19: "),
                           ("protect: {gpus: [left]}\n", "is not a PCI address")):
            self.limit(text)
            for verb in ("plan", "verify"):
                self.assertIn(told, self.on_host(verb, document(PARAMETER), expect=65).stderr)
            self.assertIn(told, self.apply(document(PARAMETER), expect=65).stderr)
        self.limit("", head="apiVersion: gpuhost/v1\nkind: HostState\n")
        self.assertIn("this is a document: give it with -f", self.on_host("plan", document(PARAMETER), expect=65).stderr)

    def test_what_cannot_be_read_allows_nothing(self):
        self.give("{unreadable: not allowed}")
        self.assertIn("what this host allows is unknown: ", self.on_host("plan", document(PARAMETER), expect=7).stdout)
        self.apply(document(PARAMETER), expect=7)

    def test_under_a_root_and_in_a_recording_of_it(self):
        root = self.directory / "root"
        (root / "etc/gpuhost").mkdir(parents=True)
        (root / "etc/gpuhost/local.yaml").write_text(HEAD + "kernel: {parameters: []}\n")
        path = self.write(document(PARAMETER))
        self.assertIn("does not allow iommu", self.run_gpuhost("plan", "-f", path, "--root", root, expect=7).stdout)
        recorded = self.directory / "again.yaml"
        self.run_gpuhost("observe", "--root", root, "--record", recorded, expect=0)
        self.assertIn("does not allow iommu", self.run_gpuhost("plan", "-f", path, "--host", recorded, expect=7).stdout)


if __name__ == "__main__":
    cli_test.GPUHOST = sys.argv.pop(1)
    unittest.main()
