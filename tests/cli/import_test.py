"""Configurations of other tools become documents, and what they cannot carry is told."""
import json
import subprocess
import sys
import unittest
import pathlib

import yaml

import gpu_hosts_test
from gpu_hosts_test import HEAD, LEFT, HostTest

MIG_PARTED = """\
version: v1
mig-configs:
  all-disabled: [{devices: all, mig-enabled: false}]
  all-balanced:
    - device-filter: ["0x20F110DE", "0x233010DE:0x16C110DE"]
      devices: all
      mig-enabled: true
      mig-devices: {"1g.5gb": 2, "2g.10gb": 1, "3g.20gb": 1}
  shared: [{devices: all, mig-enabled: true, mig-devices: {"1c.3g.20gb": 4, "2c.3g.20gb": 1}}]
  some: [{devices: [0, 1], mig-enabled: true, mig-devices: {"7g.40gb": 1}}]
"""
VGPUS = """\
version: v1
vgpu-configs:
  A100-20C: [{device-filter: "0x20F110DE", devices: all, vgpu-devices: {"A100-20C": 2}}]
  A100-3-20C: [{devices: all, vgpu-devices: {"A100-3-20C": 2}}]
  DC-1-24QGFX: [{devices: all, vgpu-devices: {"DC-1-24QGFX": 4}}]
"""
NOVA = """\
[DEFAULT]
debug = true
[devices]
enabled_mdev_types = nvidia-700,
  nvidia-697
[mdev_nvidia-700]
device_addresses = 0000:41:00.0
max_instances = 2
[pci]
device_spec = {"address": "0000:61:00.0", "managed": "no"}
device_spec = {"vendor_id": "8086", "product_id": "10ed"}
device_spec = {"vendor_id": "10de", "product_id": "2235"}
"""


class Import(HostTest):
    def write(self, name, text):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def run_import(self, *arguments, expect=0):
        done = subprocess.run([GPUHOST, "import", *map(str, arguments)], capture_output=True, encoding="utf-8",
                              stdin=subprocess.DEVNULL, timeout=60, check=False)
        self.assertEqual(done.returncode, expect, f"{arguments}\n{done.stdout}\n{done.stderr}")
        return done

    def imported(self, *arguments):
        """The document, which is valid, and what was left out."""
        done = self.run_import(*arguments)
        self.gpuhost_validates(done.stdout)
        return yaml.safe_load(done.stdout), done.stderr

    def gpuhost_validates(self, text):
        subprocess.run([GPUHOST, "validate", "-f", self.write("imported.yaml", text)], check=True, capture_output=True)

    def mig_parted(self, *arguments):
        return self.imported("mig-parted", self.write("config.yaml", MIG_PARTED), *arguments)


class MigParted(Import):
    def test_the_chosen_configuration_becomes_gpus_by_their_ids(self):
        document, left_out = self.mig_parted("--configuration", "all-balanced")
        self.assertEqual([gpu["match"] for gpu in document["gpus"]],
                         [{"pciId": "10de:20f1"}, {"pciId": "10de:2330/10de:16c1"}])
        self.assertEqual(document["gpus"][0]["mig"],
                         [{"profile": "1g.5gb", "count": 2}, {"profile": "2g.10gb"}, {"profile": "3g.20gb"}])
        self.assertEqual(left_out, "")

    def test_without_a_choice_all_become_layouts(self):
        document, left_out = self.mig_parted()
        self.assertEqual(sorted(document["layouts"]), ["all-balanced", "all-disabled", "shared", "some"])
        self.assertEqual(document["layouts"]["all-disabled"], {"mig": "disabled"})
        self.assertIn("--configuration", left_out)

    def test_compute_instances_fill_gpu_instances_as_the_tool_makes_them(self):
        document, _ = self.mig_parted("--configuration", "shared")
        self.assertEqual(document["gpus"][0]["match"], {"all": True})
        self.assertEqual(document["gpus"][0]["mig"],
                         [{"profile": "3g.20gb", "compute": [{"profile": "2c.3g.20gb"}, {"profile": "1c.3g.20gb"}]},
                          {"profile": "3g.20gb", "compute": [{"profile": "1c.3g.20gb", "count": 3}]}])

    def test_gpus_by_index_are_left_out_with_the_reason(self):
        document, left_out = self.mig_parted("--configuration", "some")
        self.assertNotIn("gpus", document)
        self.assertEqual(document["layouts"]["some"], {"mig": [{"profile": "7g.40gb"}]})
        self.assertIn("by their index", left_out)

    def test_a_configuration_that_is_not_there_is_65_with_a_suggestion(self):
        path = self.write("config.yaml", MIG_PARTED)
        done = self.run_import("mig-parted", path, "--configuration", "all-balance", expect=65)
        self.assertIn("did you mean 'all-balanced'?", done.stderr)

    def test_every_problem_has_its_place(self):
        path = self.write("config.yaml", "version: v2\nmig-configs:\n  a: [{device-filter: x, devices: all,\n"
                                         "    mig-enabld: true, mig-devices: {3g: -1}}]\n")
        told = self.run_import("mig-parted", path, expect=65).stderr
        for part in ("config.yaml:1:10", "'x' is not a device filter", "did you mean 'mig-enabled'?"):
            self.assertIn(part, told)

    def test_what_is_no_layout_of_a_gpu_is_65(self):
        path = self.write("config.yaml", MIG_PARTED.replace("7g.40gb", "7g.forty"))
        self.assertIn("7g.forty", self.run_import("mig-parted", path, "--configuration", "some", expect=65).stderr)

    def test_the_document_is_one_that_plans(self):
        text = self.run_import("mig-parted", self.write("config.yaml", MIG_PARTED.replace(
            ', "0x233010DE:0x16C110DE"', "")), "--configuration", "all-balanced").stdout
        plan = self.plan(text + "policy: {disruption: reset-gpu}\n")
        self.assertIn("gpu[gpu0#0].mig.mode", [change["address"] for change in plan["changes"]])


class VgpuDeviceManager(Import):
    def test_types_and_counts(self):
        path = self.write("config.yaml", VGPUS)
        document, _ = self.imported("vgpu-device-manager", path, "--configuration", "A100-20C")
        self.assertEqual(document["gpus"], [{"name": "gpu0", "match": {"pciId": "10de:20f1"}, "mode": "vgpu",
                                             "vgpus": [{"name": "a100-20c", "type": "A100-20C", "count": 2}]}])

    def test_types_on_instances_ask_for_them(self):
        path = self.write("config.yaml", VGPUS)
        document, _ = self.imported("vgpu-device-manager", path, "--configuration", "A100-3-20C")
        self.assertEqual(document["gpus"][0]["mig"], "auto")
        document, left_out = self.imported("vgpu-device-manager", path, "--configuration", "DC-1-24QGFX")
        self.assertEqual(document["gpus"][0]["vgpus"][0]["type"], "DC-1-24Q")
        self.assertIn("+gfx", left_out)


class Nova(Import):
    def test_functions_for_nova_and_gpus_passed_through(self):
        document, left_out = self.imported("nova", self.write("nova.conf", NOVA), "--host", self.host)
        self.assertEqual([(gpu["match"], gpu["mode"], gpu.get("functions")) for gpu in document["gpus"]],
                         [({"pciId": "10de:2235"}, "passthrough", None),
                          ({"address": LEFT}, "vgpu", "enabled"),
                          ({"address": "0000:61:00.0"}, "passthrough", None)])
        for part in ("nvidia-697 without device_addresses", "max_instances", "8086"):
            self.assertIn(part, left_out)

    def test_what_is_no_setting_is_65_with_its_line(self):
        self.assertIn("nova.conf:2:1", self.run_import("nova", self.write("nova.conf", "[pci]\nwhat\n"),
                                                       expect=65).stderr)


class Driverctl(Import):
    def test_the_store_and_the_listing(self):
        stored = self.write(f"pci-{LEFT}", "vfio-pci\n")
        listed = self.write("overrides", "0000:61:00.0 vfio-pci\n0000:99:00.0 vfio-pci (Some NIC)\n")
        document, left_out = self.imported("driverctl", stored, listed, "--host", self.host)
        self.assertEqual([(gpu["match"]["address"], gpu["mode"]) for gpu in document["gpus"]],
                         [(LEFT, "passthrough"), ("0000:61:00.0", "passthrough")])
        self.assertIn("0000:99:00.0", left_out)


class Mdevctl(Import):
    name = "kvm-m60"
    UUID = "c4d7a3f0-2f3b-4a51-9a27-5d0f0f3a8a11"

    def test_definitions_become_the_vgpus_that_they_are(self):
        document, left_out = self.definition("attrs", [{"nvidia/vgpu_params": "frame_rate_limiter=0"}])
        self.assertEqual(document["gpus"][0]["vgpus"],
                         [{"name": "m60-2q", "type": "GRID M60-2Q", "uuids": [self.UUID],
                           "params": {"frame_rate_limiter": "0"}}])
        self.assertIn("mdevctl starts it at boot", left_out)

    def definition(self, key, value):
        content = {"mdev_type": "nvidia-18", "start": "auto", key: value}
        stored = self.write(f"0000:3d:00.0/{self.UUID}", json.dumps(content))
        return self.imported("mdevctl", stored, "--host", self.host)

    def test_the_listing_says_the_same(self):
        listing = [{"0000:3d:00.0": [{self.UUID: {"mdev_type": "nvidia-18", "start": "manual", "attrs": []}}]}]
        document, left_out = self.imported("mdevctl", self.write("list.json", json.dumps(listing)), "--host", self.host)
        self.assertEqual(document["gpus"][0]["vgpus"][0]["uuids"], [self.UUID])
        self.assertEqual(left_out, "")

    def test_a_type_that_the_host_does_not_offer_is_left_out(self):
        listing = [{"0000:3d:00.0": [{self.UUID: {"mdev_type": "nvidia-9999"}}]}]
        document, left_out = self.imported("mdevctl", self.write("list.json", json.dumps(listing)), "--host", self.host)
        self.assertNotIn("gpus", document)
        self.assertIn("nvidia-9999", left_out)

    def test_what_is_no_definition_is_65(self):
        self.run_import("mdevctl", self.write("x/y", "{"), "--host", self.host, expect=65)


if __name__ == "__main__":
    GPUHOST = sys.argv.pop(1)
    gpu_hosts_test.GPUHOST = GPUHOST
    gpu_hosts_test.EXAMPLES = pathlib.Path(sys.argv.pop(1))
    unittest.main()
