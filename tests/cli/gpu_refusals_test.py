"""Black-box tests of what the gpuhost command refuses on the example GPU hosts, and what it says then."""
import json
import pathlib
import subprocess
import sys
import unittest

import gpu_hosts_test
from gpu_hosts_test import HEAD, LEFT, RIGHT, HostTest, left


def errors_of(plan):
    return "\n".join(f"{note['address']}: {note['message']}" for note in plan["diagnostics"]
                     if note["severity"] == "error")


def blocks_of(plan):
    return "\n".join(why for change in plan["changes"] for why in change["blocked_by"])


class References(HostTest):
    """A VM names GPUs of an entry that matches eight."""
    name = "kvm-h100-x8"

    def document(self, devices, policy="stop-guests"):
        return (HEAD % policy + "gpus: [{name: hgx, match: {model: 'H100 SXM5 80GB'}, mode: passthrough}]\n"
                f"vms: [{{name: hgx-01, devices: [{devices}]}}]\n")

    def test_an_entry_that_matches_several_is_none_of_them(self):
        for devices in ("{gpu: hgx}", "{gpu: 'hgx#8'}"):
            with self.subTest(devices=devices):
                text = self.document(devices)
                self.assertIn("hgx matches 8 GPUs: hgx#0 … hgx#7", errors_of(self.plan(text, expect=7)))
                self.gpuhost("apply", text, "--yes", expect=7)


class AbandonedWrites(HostTest):
    """A process that an earlier run has left hangs in the kernel over the left GPU."""

    def setUp(self):
        super().setUp()
        record = {"format_version": 1, "writes": [
            {"device": LEFT, "request": f"write '{LEFT}' to /sys/bus/pci/drivers/nvidia/unbind", "pid": 4711,
             "since": "2026-01-31T12:00:00Z", "started": "98765"}]}
        process = "4711 (gpuhost-write-a) D 1 4711 4711 0 -1 64 0 0 0 0 0 0 0 0 20 0 1 0 98765 0 0"
        files = f"files:\n  /run/gpuhost/abandoned.json: '{json.dumps(record).replace(chr(39), chr(39) * 2)}'\n" \
                f"  /proc/4711/stat: '{process}'\n"
        self.host.write_text(self.host.read_text().replace("files:\n", files, 1))

    def test_its_device_is_refused_and_others_go_on(self):
        self.assertIn("process 4711 has hung in the kernel over " + LEFT, blocks_of(self.plan(left(1), expect=7)))
        self.gpuhost("apply", left(1), "--yes", expect=7)
        self.applied(left(1).replace(LEFT, RIGHT))
        status = subprocess.run([gpu_hosts_test.GPUHOST, "status", "--host", self.host], capture_output=True,
                                encoding="utf-8", check=True).stdout
        self.assertIn(f"{LEFT} is left alone: process 4711 has hung", status)

    def test_it_is_over_with_the_boot(self):
        self.host.write_text(self.host.read_text().replace("nova:instance", "lab:instance"))  # whose guest bars reboots
        reboot = "kernel: {parameters: {pcie_aspm: 'off'}}\n"
        self.summary(HEAD % "reboot" + reboot, "--reboot")
        self.applied(left(1, "reboot", reboot))

    def test_it_is_over_when_the_process_is_gone_or_another_one(self):
        self.host.write_text(self.host.read_text().replace(" 98765 0 0'", " 98766 0 0'"))
        self.applied(left(1))


class Vgpus(HostTest):
    def test_a_lower_count_stops_no_guest_of_the_highest_index(self):
        vm = "vms: [{name: infer-01, devices: [%s], attach: %s}]\n"
        self.applied(left(2, more=vm % ("{vgpu: left/train/1}", "live")))
        plan = self.plan(left(1, more=vm % ("", "next-start")), expect=7)
        self.assertIn("a lower count removes the highest index", blocks_of(plan))
        self.assertNotIn("stop VM", "".join(change["title"] for change in plan["changes"]))

    def test_what_the_document_drops_is_refused_without_the_disruption_it_needs(self):
        self.applied(left(1))
        plan = self.plan(HEAD % "none", expect=7)
        self.assertIn("it needs disruption remove-idle", blocks_of(plan))

    def test_a_protection_of_nothing_is_told(self):
        text = left(1).replace("{disruption: stop-guests}",
                               "{disruption: stop-guests, protect: {vms: [infer-1], gpus: ['0000:99:00.0']}}")
        told = "".join(note["message"] + note.get("advice", "") for note in self.plan(text)["diagnostics"])
        self.assertIn("did you mean 'infer-01'?", told)
        self.assertIn("GPU 0000:99:00.0 is protected, and there is none", told)

    def test_verify_takes_missing_skip(self):
        text = left(1).replace(LEFT, "0000:99:00.0")
        self.gpuhost("verify", text, expect=2)
        self.gpuhost("verify", text, "--missing", "skip")

    def test_without_the_vgpu_manager_nothing_can_be_made(self):
        host = self.host.read_text()
        self.assertIn("atBoot: true, loaded: true}\n", host)
        lines = [line.replace(", atBoot: true, loaded: true", "") if line.startswith("  nvidia_vgpu_vfio:") else line
                 for line in host.splitlines() if "/sys/module/nvidia_vgpu_vfio" not in line]
        self.host.write_text("\n".join(lines) + "\n")
        self.assertIn("vGPU manager is not loaded", self.gpuhost("apply", left(1), "--yes", expect=4).stdout)


class Reboots(HostTest):
    PARAMETER = "kernel: {parameters: {hugepages: '16'}}\n"

    def test_a_guest_that_may_not_be_stopped_speaks_against_a_reboot(self):
        text = HEAD % "reboot" + self.PARAMETER
        self.assertIn("belongs to OpenStack Nova", "".join(
            note["message"] for note in self.plan(text)["diagnostics"] if note["address"] == "reboot"))
        self.assertEqual(self.summary(text, "--reboot", expect=7)["result"], "refused")
        self.assertEqual(self.summary(text, expect=3)["result"], "reboot_required")

    def test_so_does_a_protected_one(self):
        text = (HEAD % "reboot").replace("{disruption: reboot}",
                                         "{disruption: reboot, protect: {vms: [infer-01]}}") + self.PARAMETER
        told = self.gpuhost("apply", text, "--yes", "--reboot", expect=7).stdout
        self.assertIn("VM infer-01 is protected", told)


class SavedGuest(HostTest):
    name = "kvm-m60"

    def test_it_goes_on_with_what_it_was_saved_with(self):
        host = self.host.read_text()
        at = host.index("    cad-02:\n")
        self.host.write_text(host[:at] + "      saved: true\n" + host[at:])
        text = (HEAD % "none" + "gpus: [{name: first, match: {address: '0000:3d:00.0'}, mode: vgpu,\n"
                "  vgpus: [{name: a, type: M60-1Q}]}]\n"
                "vms: [{name: cad-01, devices: [{vgpu: first/a}]}]\n")
        for plan in (self.plan(text), self.summary(text) and self.plan(text)):
            self.assertEqual([one["type"] for one in plan["conditions"]], ["PendingGuestRestart"])
            self.assertIn("the saved guest goes on with no NVIDIA device", plan["conditions"][0]["message"])


class Workstation(HostTest):
    name = "kvm-rtx-workstation"
    NOUVEAU = "kernel: {modules: {nouveau: {state: blocked}}}\n"

    def test_a_module_that_drives_the_console_goes_at_the_next_boot(self):
        for policy in ("none", "remove-idle", "stop-guests"):
            plan = self.plan(HEAD % policy + self.NOUVEAU)
            self.assertNotIn("unload", [action for change in plan["changes"] for action in change["actions"]])
            self.assertEqual(plan["phases"][0]["barrier"], "reboot")

    def test_bare_metal_on_nouveau_says_what_to_do(self):
        gpu = "gpus: [{match: {address: '0000:65:00.0'}, mode: bare-metal}]\n"
        self.assertIn("blocked", blocks_of(self.plan(HEAD % "stop-guests" + gpu, expect=7)))


class Selectors(HostTest):
    def test_a_model_as_it_is_sold(self):
        for model in ("A100 PCIe 40GB", "a100-pcie-40gb", "NVIDIA A100 PCIe 40GB"):
            text = HEAD % "none" + f"gpus: [{{name: two, match: {{model: '{model}', expect: 2}}}}]\n"
            self.gpuhost("plan", text)

    def test_a_subsystem_of_zeros_is_none(self):
        text = HEAD % "none" + "gpus: [{match: {pciId: '10de:20f1/0000:0000'}}]\n"
        self.gpuhost("plan", text, expect=65)

    def test_contradictions_are_invalid(self):
        twice = "0f3a4c1e-5d0b-4a57-9a35-1f5b7c9d2e01"
        for entry in (f"mode: vgpu, vgpus: [{{name: a, type: A100-10C, uuids: [{twice}, {twice}]}}]",
                      "mode: passthrough, functions: enabled"):
            text = HEAD % "none" + f"gpus: [{{name: one, match: {{address: '{LEFT}'}}, {entry}}}]\n"
            self.assertIn("document.yaml:5:", self.gpuhost("plan", text, expect=65).stderr)


class Unreadable(HostTest):
    def test_a_guest_of_a_libvirt_that_does_not_answer_is_unknown(self):
        text = HEAD % "none" + "vms: [{name: infer-01, connection: 'qemu:///session', autostart: true}]\n"
        self.assertIn("cannot be told", errors_of(self.plan(text, expect=7)))
        shown = self.gpuhost("verify", text, expect=69).stdout
        self.assertIn("unknown", shown)
        self.assertIn("desired true", shown)


class Reasons(HostTest):
    def test_what_only_serves_another_wish_is_a_prerequisite(self):
        text = HEAD % "stop-guests" + f"gpus: [{{name: right, match: {{address: '{RIGHT}'}}, mode: passthrough}}]\n"
        changes = self.plan(text)["changes"]
        reasons = {change["address"]: change["action_reason"] for change in changes}
        self.assertEqual(reasons["gpu[right].driver"], "desired_changed")
        self.assertEqual({why for address, why in reasons.items() if "vfio_pci" in address}, {"prerequisite"})


if __name__ == "__main__":
    gpu_hosts_test.GPUHOST, gpu_hosts_test.EXAMPLES = sys.argv[1], pathlib.Path(sys.argv[2])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
