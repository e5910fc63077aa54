"""Black-box tests of the gpuhost command on the example GPU hosts: what an operator does with them over time."""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import jsonschema

GPUHOST = None
EXAMPLES = None

LEFT, RIGHT = "0000:41:00.0", "0000:61:00.0"  # of kvm-a100-pair
HEAD = "apiVersion: gpuhost/v1\nkind: HostState\nmetadata: {name: operator}\npolicy: {disruption: %s}\n"


def left(count, policy="stop-guests", more=""):
    return (HEAD % policy + f"gpus: [{{name: left, match: {{address: '{LEFT}'}}, mode: vgpu,\n"
            f"  vgpus: [{{name: train, type: A100-10C, count: {count}}}]}}]\n" + more)


class HostTest(unittest.TestCase):
    name = "kvm-a100-pair"

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.host = self.directory / "host.yaml"
        shutil.copy(EXAMPLES / "hosts" / f"{self.name}.yaml", self.host)

    def gpuhost(self, verb, text, *arguments, expect=0, host=None):
        path = self.directory / "document.yaml"
        path.write_text(text, encoding="utf-8")
        done = subprocess.run([GPUHOST, verb, "-f", path, "--host", host or self.host, *arguments],
                              capture_output=True, encoding="utf-8", stdin=subprocess.DEVNULL, timeout=60, check=False)
        self.assertEqual(done.returncode, expect, f"{verb} {arguments}\n{text}\n{done.stdout}\n{done.stderr}")
        return done

    def observed(self):
        done = subprocess.run([GPUHOST, "observe", "--host", self.host, "-o", "json"], capture_output=True, check=True)
        return json.loads(done.stdout)["observed"]

    def plan(self, text, *arguments, **more):
        return json.loads(self.gpuhost("plan", text, "-o", "json", *arguments, **more).stdout)

    def summary(self, text, *arguments, expect=0):
        lines = self.gpuhost("apply", text, "--yes", "-o", "json", *arguments, expect=expect).stdout.splitlines()
        return json.loads(lines[-1])

    def applied(self, text, *arguments):
        """Applied, read back, and applied again without a change of the host."""
        summary = self.summary(text, *arguments)
        self.gpuhost("verify", text)
        self.gpuhost("plan", text, "--detailed-exitcode")
        before = self.host.read_bytes()
        self.assertFalse(self.summary(text)["changed"])
        self.assertEqual(self.host.read_bytes(), before)
        return summary


def changes(plan):
    return [(change["address"], change["actions"]) for change in plan["changes"]]


def uuids(plan_or_observation):
    return sorted(change["after"]["uuid"] for change in plan_or_observation["changes"]
                  if ".vgpu[" in change["address"] and change["actions"] == ["create"])


class Vgpus(HostTest):
    def test_identities_are_known_before_there_are_functions_and_stay_over_a_reboot(self):
        first = uuids(self.plan(left(2)))
        self.assertEqual(len(first), 2)
        self.applied(left(2))
        self.host.write_text(self.host.read_text().replace("nova:instance", "lab:instance"))  # whose guest bars reboots
        reboot = "kernel: {parameters: {pcie_aspm: 'off'}}\n"
        self.summary(left(2, "reboot", reboot), "--reboot")
        self.gpuhost("verify", left(2, "reboot", reboot))
        text = self.host.read_text()
        for uuid in first:
            self.assertIn(uuid, text)

    def test_growing_adds_and_shrinking_removes_the_highest(self):
        self.applied(left(2))
        grown = changes(self.plan(left(3)))
        self.assertIn(("gpu[left].vgpu[train/2]", ["create"]), grown)
        self.assertFalse([address for address, _ in grown if "train/0" in address or "train/1" in address])
        self.applied(left(3))
        shrunk = self.plan(left(1))
        gone = [change["before"]["uuid"] for change in shrunk["changes"] if change["actions"] == ["delete"]]
        kept = self.plan(left(1).replace("operator", "another"), expect=7)
        self.assertEqual(len(gone), 2)
        self.assertEqual({change["action_reason"] for change in shrunk["changes"] if "vgpu" in change["address"]},
                         {"removed_from_desired"})
        self.assertFalse(kept["applyable"], "two documents own one GPU's vGPUs")
        self.applied(left(1))

    def test_a_guest_keeps_its_vgpu_from_being_removed(self):
        guest = "vms: [{name: train-01, devices: [{vgpu: left/train/1}], state: running}]\n"
        self.applied(left(2, more=guest))
        self.assertIn("train-01", self.gpuhost("plan", left(1, policy="remove-idle"), expect=7).stdout)
        self.gpuhost("verify", left(2, more=guest))

    def test_mistakes_that_other_tools_take_for_success(self):
        for wrong, why in ((left(2).replace("A100-10C", "A100-11C"), "did you mean"),
                           (left(5), "4 of A100-10C fit"),
                           (left(2).replace(LEFT, "0000:42:00.0"), "0000:42:00.0 matches no GPU")):
            with self.subTest(why):
                before = self.host.read_bytes()
                self.assertIn(why, self.gpuhost("plan", wrong, expect=7).stdout)
                self.gpuhost("apply", wrong, "--yes", expect=7)
                self.assertEqual(self.host.read_bytes(), before)


class Passthrough(HostTest):
    document = (HEAD % "stop-units" + f"gpus: [{{name: right, match: {{address: '{RIGHT}'}}, mode: passthrough}}]\n")

    def test_given_back_to_the_driver_it_had(self):
        self.applied(self.document)
        self.assertEqual(self.observed()["gpus"][RIGHT]["driver"], "vfio-pci")
        self.applied(HEAD % "stop-units")
        self.assertEqual(self.observed()["gpus"][RIGHT]["driver"], "nvidia")

    def test_a_gpu_on_vfio_pci_is_still_found_by_its_uuid(self):
        uuid = self.observed()["gpus"][RIGHT]["uuid"]
        self.applied(self.document)
        self.assertEqual(self.observed()["gpus"][RIGHT]["uuid"], uuid)
        self.applied(self.document.replace(f"address: '{RIGHT}'", f"uuid: {uuid}"))

    def test_policy_and_protection(self):
        refused = self.gpuhost("plan", self.document.replace("stop-units", "none"), expect=7).stdout
        self.assertIn("nvidia-persistenced.service", refused)
        protected = self.document.replace("disruption: stop-units",
                                          f"disruption: reboot, protect: {{gpus: ['{RIGHT}']}}")
        self.assertIn(f"GPU {RIGHT} is protected", self.gpuhost("plan", protected, expect=7).stdout)


class MigProfiles(HostTest):
    def test_one_name_in_any_spelling(self):
        def planned(profile):
            text = HEAD % "stop-units" + (f"gpus: [{{name: left, match: {{address: '{LEFT}'}}, mode: vgpu,\n"
                                          f"  mig: [{{profile: {profile}}}]}}]\n")
            return changes(self.plan(text))
        self.assertIn("1g.5gb+me", str(planned("1g.5gb+me")))
        self.assertEqual(planned("1g.5gb.me"), planned("1g.5gb+me"))


class Degraded(HostTest):
    name = "kvm-h100-x7"

    def test_one_of_eight_absent(self):
        document = HEAD % "stop-units" + "gpus: [{name: hgx, match: {pciId: '10de:2330', expect: 8}, functions: enabled}]\n"
        self.gpuhost("plan", document, expect=7)
        self.gpuhost("verify", document, expect=2)
        summary = self.summary(document, "--missing", "skip")
        self.assertEqual((summary["result"], summary["exit_code"]), ("degraded", 0))
        status = json.loads(subprocess.run([GPUHOST, "status", "--host", self.host, "-o", "json"], capture_output=True,
                                           check=True).stdout)
        degraded = next(one for one in status["status"]["conditions"] if one["type"] == "Degraded")
        self.assertEqual(degraded["status"], "True")
        self.assertIn("7 of 8", degraded["message"])

    def test_what_there_is_keeps_its_number(self):
        plan = self.plan(HEAD % "stop-units" + "gpus: [{name: hgx, match: {all: true, expect: 8, missing: skip},"
                         " functions: enabled}]\n")
        addresses = {address for address, _ in changes(plan)}
        self.assertIn("gpu[hgx#7].functions", addresses)
        self.assertNotIn("gpu[hgx#5].functions", addresses)


class Scopes(HostTest):
    """What the boot units do: devices before libvirt is up, guests after it, nothing else."""

    TEXT = left(2, more="kernel: {modules: {nouveau: {state: blocked}}}\n"
                        "vms: [{name: train-01, devices: [{vgpu: left/train/0}], state: running}]\n")

    def setUp(self):
        """Services that hold GPUs are not up yet at that time of a boot."""
        super().setUp()
        holds = "opens: [/dev/nvidia0, /dev/nvidia1, /dev/nvidiactl]"
        self.host.write_text(self.host.read_text().replace("nvidia-persistenced.service: {state: active,",
                                                           "nvidia-persistenced.service: {state: inactive,")
                             .replace(holds, "opens: []"))

    def kinds(self, *arguments):
        return {change["address"].split("[")[0].split(".")[0] for change in
                self.plan(self.TEXT, *arguments)["changes"]}

    def test_devices_come_first_then_guests_and_configuration_stays(self):
        self.assertEqual(self.kinds(), {"gpu", "kernel", "vm"})
        self.assertEqual(self.kinds("--scope", "devices"), {"gpu"})
        self.assertEqual(self.summary(self.TEXT, "--scope", "devices")["result"], "converged")
        self.gpuhost("verify", self.TEXT, "--scope", "devices")
        self.assertEqual(self.kinds("--scope", "runtime"), {"vm"})
        self.summary(self.TEXT, "--scope", "runtime")
        self.gpuhost("verify", self.TEXT, "--scope", "runtime")
        self.assertEqual(self.kinds(), {"kernel"})
        self.gpuhost("verify", self.TEXT, expect=2)

    def test_says_what_is_outside(self):
        said = self.gpuhost("plan", self.TEXT, "--scope", "devices").stdout
        self.assertRegex(said, "outside the scope 'devices'.*vm_binding")
        self.summary(self.TEXT, "--scope", "devices")
        status = subprocess.run([GPUHOST, "status", "--host", self.host], capture_output=True, encoding="utf-8",
                                check=True).stdout
        self.assertIn("(scope devices)", status)

    def test_what_was_set_and_is_outside_is_not_given_back(self):
        self.applied(self.TEXT)
        self.assertFalse(self.summary(left(2), "--scope", "devices")["changed"])
        self.assertEqual(self.kinds(), set())

    def test_an_unknown_scope_is_64(self):
        self.gpuhost("apply", self.TEXT, "--yes", "--scope", "boot", expect=64)


class Renderings(HostTest):
    def test_every_example_plan_is_valid_by_the_schema(self):
        schema = json.loads(subprocess.run([GPUHOST, "schema", "plan"], capture_output=True, check=True).stdout)
        for document in sorted([*EXAMPLES.glob("kvm-*/*.yaml"), *EXAMPLES.glob("refused/kvm-*/*.yaml")]):
            with self.subTest(document=document):
                host = EXAMPLES / "hosts" / f"{document.parent.name}.yaml"
                done = subprocess.run([GPUHOST, "plan", "-f", document, "--host", host, "-o", "json"],
                                      capture_output=True, timeout=60, check=False)
                self.assertIn(done.returncode, (0, 7, 65))
                if done.returncode == 65:
                    continue  # refused before there is a plan
                jsonschema.validate(json.loads(done.stdout), schema)

    def test_a_recording_of_a_recording_gives_the_same_plan(self):
        record = self.directory / "recorded.yaml"
        for document in (EXAMPLES / "kvm-a100-pair").glob("*.yaml"):
            with self.subTest(document=document):
                subprocess.run([GPUHOST, "observe", "--host", self.host, "--record", record], capture_output=True,
                               check=True)
                text = document.read_text()
                if "  source:" in text:
                    continue  # nobody has asked for the file: a recording has what was looked at
                self.assertEqual(self.plan(text)["plan_id"], self.plan(text, host=record)["plan_id"])


class Trials(HostTest):
    """What --try promises to undo is undone."""

    GUEST = "vms: [{name: train-01, devices: [{vgpu: left/train/0}], state: running}]\n"

    def test_what_the_policy_does_not_let_undo_is_not_tried(self):
        before = self.host.read_bytes()
        done = self.gpuhost("apply", left(1, "stop-units", self.GUEST), "--yes", "--try", "5m", expect=7)
        self.assertIn("takes more to undo than the policy allows: start VM train-01 (stop-guests)", done.stderr)
        self.assertEqual(self.host.read_bytes(), before)

    def test_a_guest_that_was_started_is_stopped_again_and_the_service_runs(self):
        before = self.observed()
        self.gpuhost("apply", left(1, "stop-guests", self.GUEST), "--yes", "--try", "5m")
        self.assertNotEqual(self.observed(), before)
        subprocess.run([GPUHOST, "recover", "--host", self.host], capture_output=True, check=True)
        self.assertEqual(self.observed(), before)


class Guests(HostTest):
    """What `observe --guests` has asked is what planning goes by."""

    VM = "vms: [{name: train-01, devices: [{vgpu: left/train/0}], state: running, guestDriver: {release: '16.5'}}]\n"

    def recorded(self, agent):
        """The host with this agent in its guest, after the guest was asked."""
        self.host.write_text(self.host.read_text().replace("    train-01:\n", f"    train-01:\n      agent: {agent}\n"))
        recorded = self.directory / "recorded.yaml"
        done = subprocess.run([GPUHOST, "observe", "--host", self.host, "--guests", "--record", recorded, "-o", "json"],
                              capture_output=True, check=True)
        return json.loads(done.stdout)["observed"]["guest_driver"], recorded

    def test_a_guest_is_unknown_until_it_is_asked(self):
        text = left(1, more=self.VM)
        self.gpuhost("apply", text, "--yes", expect=69)
        self.assertIn("gpuhost observe --guests", self.gpuhost("verify", text, expect=69).stdout)
        before = self.host.read_text()
        guests, recorded = self.recorded("{system: debian, installed: 535.161.07, loaded: 535.161.07, licensed: true}")
        self.assertEqual([(guest["name"], guest["loaded"], guest["license"]) for guest in guests],
                         [("train-01", "535.161.07", "licensed")])
        self.assertNotIn("guests.json", self.host.read_text())
        self.assertIn("guests.json", recorded.read_text())
        self.assertNotEqual(before, recorded.read_text())
        self.gpuhost("verify", text, host=recorded, expect=2)  # 16.5 has 535.161.05
        text = text.replace("release: '16.5'", "version: 535.161.07")
        self.gpuhost("verify", text, host=recorded)
        self.gpuhost("plan", text, "--detailed-exitcode", host=recorded)

    def test_a_guest_that_does_not_tell_stays_unknown(self):
        text = left(1, more=self.VM)
        self.gpuhost("apply", text, "--yes", expect=69)
        guests, recorded = self.recorded("{system: rhel, refusesCommands: true, refusesFiles: true}")
        self.assertIn("has been disabled", guests[0]["loaded"]["unknown"])
        self.assertIn("has been disabled", self.gpuhost("verify", text, host=recorded, expect=69).stdout)


if __name__ == "__main__":
    GPUHOST, EXAMPLES = sys.argv[1], pathlib.Path(sys.argv[2])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
