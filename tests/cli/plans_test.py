"""Saved plans, and giving everything back."""
import json
import os
import stat
import sys
import unittest

import yaml

import cli_test
from cli_test import MODULE, PARAMETER, STOP, STOP_ALLOWED, CommandTest, document


def record_of(host, path):
    """The content of a file of a recorded host."""
    files = yaml.safe_load(host.read_text())["files"]
    directory, _, name = path.rpartition("/")
    entry = files[path] if path in files else files[directory + "/"][name]
    return entry["text"] if isinstance(entry, dict) else entry


class SavedPlans(CommandTest):
    def setUp(self):
        super().setUp()
        self.plan = self.directory / "reviewed.plan"

    def save(self, text, *arguments, expect=0):
        return self.on_host("plan", text, "--out", self.plan, *arguments, expect=expect)

    def apply_plan(self, *arguments, expect=None):
        return self.run_gpuhost("apply", self.plan, "--host", self.host, "--yes", *arguments, expect=expect)

    def edit(self, change):
        saved = json.loads(self.plan.read_text())
        change(saved)
        self.plan.write_text(json.dumps(saved))

    def test_is_applied_without_the_documents_and_once(self):
        self.save(document(STOP_ALLOWED, STOP))
        (self.directory / "document.yaml").unlink()
        self.assertIn("done: ", self.apply_plan(expect=0).stdout)
        again = self.apply_plan(expect=6)
        self.assertIn("is not what would be done now: no longer: ", again.stderr)

    def test_is_used_once_even_if_the_host_is_again_as_it_was(self):
        before = self.host.read_text()
        self.save(document(STOP_ALLOWED, STOP))
        self.apply_plan(expect=0)
        used = self.directory / "after.yaml"
        used.write_text(self.host.read_text())
        record = json.dumps(record_of(used, "/var/lib/gpuhost/used-plans.json"))
        self.host.write_text(before.replace("files:\n", f"files:\n  /var/lib/gpuhost/used-plans.json: {record}\n", 1))
        self.assertIn("was used already, at ", self.apply_plan(expect=6).stdout)

    def test_a_failed_run_uses_it_up(self):
        self.host.write_text(self.host.read_text().replace("{state: active, enabled: true}",
                                                           "{state: active, enabled: true, refusesToStop: true}"))
        self.save(document(STOP_ALLOWED, STOP))
        self.apply_plan(expect=4)
        self.assertIn("was used already", self.apply_plan(expect=6).stdout)

    def test_is_private_also_where_there_was_a_file(self):
        self.plan.write_text("old")
        self.plan.chmod(0o644)
        self.save(document(PARAMETER))
        self.assertEqual(stat.S_IMODE(self.plan.stat().st_mode), 0o600)

    def test_is_valid_by_the_schema(self):
        try:
            import jsonschema
        except ImportError:
            self.skipTest("python3-jsonschema is not installed")
        self.save(document(STOP_ALLOWED, PARAMETER, STOP))
        saved = json.loads(self.plan.read_text())
        for name, part in (("saved-plan", saved), ("plan", saved["plan"])):
            schema = json.loads(self.run_gpuhost("schema", name, expect=0).stdout)
            jsonschema.Draft202012Validator.check_schema(schema)
            jsonschema.Draft202012Validator(schema).validate(part)

    def test_another_hand_makes_it_stale_and_nothing_is_done(self):
        self.save(document("kernel: {parameters: {iommu: pt}, modules: {vfio-pci: {state: loaded}}}\n"))
        self.apply(document(PARAMETER), expect=3)
        before = self.host.read_bytes()
        done = self.apply_plan(expect=6)
        self.assertIn("no longer: kernel.parameters[iommu] (create)", done.stderr)
        self.assertNotIn("kernel.modules", done.stderr, "only its number is another")
        self.assertEqual(self.host.read_bytes(), before)

    def test_is_for_one_host(self):
        self.save(document(PARAMETER))
        self.host.write_text(self.host.read_text().replace("/etc/machine-id: ", "/etc/machine-id: f", 1))
        self.assertIn("the plan was made for the host with id", self.apply_plan(expect=6).stderr)

    def test_what_cannot_be_applied_is_not_saved(self):
        self.save(document(STOP), expect=7)
        self.assertFalse(self.plan.exists())

    def test_what_is_no_saved_plan_is_65(self):
        for text in ("", "{}", "[]", "kind: HostState\n", '{"kind": "SavedPlan"}', '{"kind": "SavedPlan", "format_version": 1}'):
            with self.subTest(text=text):
                self.plan.write_text(text)
                self.assertNotEqual(self.apply_plan(expect=65).stderr, "")
        self.plan.unlink()
        self.apply_plan(expect=65)

    def test_a_plan_of_a_newer_gpuhost_is_6(self):
        self.save(document(PARAMETER))
        self.edit(lambda saved: saved.update(format_version=2))
        self.assertIn("newer gpuhost", self.apply_plan(expect=6).stderr)

    def test_documents_changed_inside_are_noticed(self):
        self.save(document(PARAMETER))
        self.edit(lambda saved: saved["documents"][0].update(text=document("kernel: {parameters: {iommu: soft}}\n")))
        self.assertIn("otherwise: ", self.apply_plan(expect=6).stderr)

    def test_does_not_go_with_documents_or_another_policy(self):
        self.save(document(PARAMETER))
        for arguments in (["-f", self.write(document(PARAMETER))], ["--allow", "none"], ["--missing", "skip"]):
            with self.subTest(arguments=arguments):
                self.apply_plan(*arguments, expect=64)

    def test_staged_changes_are_finished_after_the_reboot(self):
        self.save(document("policy: {disruption: reboot}\n", PARAMETER))
        self.apply_plan("--reboot", expect=0)

    @unittest.skipUnless(os.geteuid() == 0, "only root may apply to this host")
    def test_one_that_others_can_write_is_77_on_the_live_host(self):
        self.save(document(PARAMETER))
        self.plan.chmod(0o666)
        self.run_gpuhost("apply", self.plan, "--yes", expect=77)


class Release(CommandTest):
    def release(self, *arguments, expect=None):
        return self.run_gpuhost("release", "--host", self.host, "--yes", *arguments, expect=expect)

    def test_nothing_owned_is_nothing_to_do(self):
        before = self.host.read_bytes()
        self.assertIn("nothing to give back", self.release(expect=0).stdout)
        self.assertEqual(self.host.read_bytes(), before)

    def test_gives_back_what_every_document_has_set(self):
        self.apply(document(STOP_ALLOWED, STOP), expect=0)
        self.apply(document(MODULE).replace("name: test", "name: other"), expect=0)
        self.release("--allow", "stop-units", expect=0)
        owned = json.loads(record_of(self.host, "/var/lib/gpuhost/ownership.json"))
        self.assertEqual(owned["documents"], {})
        self.run_gpuhost("verify", "-f", self.write(document("units: {ollama.service: {state: active}}\n")),
                         "--host", self.host, expect=0)

    def test_one_document_only(self):
        self.apply(document(STOP_ALLOWED, STOP), expect=0)
        self.apply(document(MODULE).replace("name: test", "name: other"), expect=0)
        self.release("--document", "other", expect=0)
        owned = json.loads(record_of(self.host, "/var/lib/gpuhost/ownership.json"))
        self.assertEqual(list(owned["documents"]), ["test"])
        self.assertIn("these do: test", self.release("--document", "other", expect=1).stderr)

    def test_needs_leave_to_disturb(self):
        text = "units: {ollama.service: {state: active}}\n"
        stopped = self.host.read_text().replace("{state: active, enabled: true}", "{state: inactive, enabled: true}")
        self.host.write_text(stopped)
        self.apply(document(text), expect=0)
        self.assertIn("still owns units[ollama.service].state", self.release(expect=7).stderr)
        self.run_gpuhost("verify", "-f", self.write(document(text)), "--host", self.host, expect=0)
        self.release("--allow", "stop-units", expect=0)

    def test_what_is_staged_waits_for_a_reboot(self):
        self.apply(document("policy: {disruption: reboot}\n", PARAMETER), "--reboot", expect=0)
        self.release(expect=3)
        self.release("--allow", "reboot", "--reboot", expect=0)
        self.assertIn("nothing to give back", self.release(expect=0).stdout)

    def test_asks_unless_told(self):
        self.assertIn("--yes", self.run_gpuhost("release", "--host", self.host, expect=64).stderr)


if __name__ == "__main__":
    cli_test.GPUHOST = sys.argv.pop(1)
    unittest.main()
