#!/usr/bin/env python3
"""A client of the library for tests that is not gpuhost: it declares what it calls by itself.

    second_client_test.py LIBRARY STATE.json

Sizes of structs and names of functions are those of NVIDIA's nvml.h (NVIDIA/go-nvml gen/nvml/nvml.h), so that what
NVIDIA's own tools call is what is here. The rest drives it as such a tool does, from two processes at once.
"""

import ctypes
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import unittest
from ctypes import Structure, byref, c_char, c_int, c_ubyte, c_uint, c_ulonglong, c_ushort, c_void_p

SUCCESS, UNINITIALIZED, INVALID_ARGUMENT, NOT_SUPPORTED, NO_PERMISSION = 0, 1, 2, 3, 4
NOT_FOUND, INSUFFICIENT_SIZE, IN_USE, INSUFFICIENT_RESOURCES, VERSION_MISMATCH = 6, 7, 19, 23, 25


def fields(*names):
    return [(name, c_uint) for name in names]


ENGINES = fields("multiprocessorCount", "copyEngineCount", "decoderCount", "encoderCount", "jpegCount", "ofaCount")


class Placement(Structure):
    _fields_ = fields("start", "size")


class ProfileInfo(Structure):
    _fields_ = fields("id", "isP2pSupported", "sliceCount", "instanceCount") + ENGINES + [("memorySizeMB", c_ulonglong)]


class ProfileInfoV2(Structure):
    _fields_ = fields("version", "id", "isP2pSupported", "sliceCount", "instanceCount") + ENGINES + [
        ("memorySizeMB", c_ulonglong), ("name", c_char * 96)]


class ProfileInfoV3(Structure):
    _fields_ = fields("version", "id", "sliceCount", "instanceCount") + ENGINES + [
        ("memorySizeMB", c_ulonglong), ("name", c_char * 96), ("capabilities", c_uint)]


class GpuInstanceInfo(Structure):
    _fields_ = [("device", c_void_p), ("id", c_uint), ("profileId", c_uint), ("placement", Placement)]


class ComputeInstanceProfileInfo(Structure):
    _fields_ = fields("id", "sliceCount", "instanceCount") + ENGINES


class ComputeInstanceInfo(Structure):
    _fields_ = [("device", c_void_p), ("gpuInstance", c_void_p), ("id", c_uint), ("profileId", c_uint),
                ("placement", Placement)]


class ProcessInfo(Structure):
    _fields_ = [("pid", c_uint), ("usedGpuMemory", c_ulonglong), ("gpuInstanceId", c_uint),
                ("computeInstanceId", c_uint)]


class PciInfo(Structure):
    _fields_ = [("busIdLegacy", c_char * 16), ("domain", c_uint), ("bus", c_uint), ("device", c_uint),
                ("pciDeviceId", c_uint), ("pciSubSystemId", c_uint), ("busId", c_char * 32)]


class LicenseExpiry(Structure):
    _fields_ = [("year", c_uint)] + [(name, c_ushort) for name in ("month", "day", "hour", "min", "sec")] + [
        ("status", c_ubyte)]


class LicensableFeature(Structure):
    _fields_ = [("featureCode", c_int), ("featureState", c_uint), ("licenseInfo", c_char * 128),
                ("productName", c_char * 128), ("featureEnabled", c_uint), ("licenseExpiry", LicenseExpiry)]


class LicensableFeatures(Structure):
    _fields_ = [("isGridLicenseSupported", c_int), ("licensableFeaturesCount", c_uint),
                ("gridLicensableFeatures", LicensableFeature * 3)]


SIZES = {Placement: 8, ProfileInfo: 48, ProfileInfoV2: 152, ProfileInfoV3: 152, GpuInstanceInfo: 24,
         ComputeInstanceProfileInfo: 36, ComputeInstanceInfo: 32, ProcessInfo: 24, PciInfo: 68,
         LicensableFeature: 284, LicensableFeatures: 860}

# What NVIDIA's nvml.h declares of partitioning and licences, and what every client calls before.
SYMBOLS = """
nvmlInit_v2 nvmlInitWithFlags nvmlShutdown nvmlErrorString nvmlDeviceGetCount_v2 nvmlDeviceGetHandleByIndex_v2
nvmlDeviceGetHandleByPciBusId_v2 nvmlDeviceGetHandleByUUID nvmlDeviceGetPciInfo_v3 nvmlDeviceGetUUID nvmlDeviceGetName
nvmlDeviceGetSerial nvmlDeviceGetMemoryInfo nvmlDeviceGetEccMode nvmlDeviceGetMigMode nvmlDeviceSetMigMode
nvmlDeviceGetGpuInstanceProfileInfo nvmlDeviceGetGpuInstanceProfileInfoV
nvmlDeviceGetGpuInstancePossiblePlacements_v2 nvmlDeviceGetGpuInstanceRemainingCapacity nvmlDeviceCreateGpuInstance
nvmlDeviceCreateGpuInstanceWithPlacement nvmlGpuInstanceDestroy nvmlDeviceGetGpuInstances nvmlDeviceGetGpuInstanceById
nvmlGpuInstanceGetInfo nvmlGpuInstanceGetComputeInstanceProfileInfo
nvmlGpuInstanceGetComputeInstancePossiblePlacements nvmlGpuInstanceCreateComputeInstance nvmlComputeInstanceDestroy
nvmlGpuInstanceGetComputeInstances nvmlGpuInstanceGetComputeInstanceById nvmlComputeInstanceGetInfo_v2
nvmlDeviceGetComputeRunningProcesses_v3 nvmlDeviceGetActiveVgpus nvmlVgpuInstanceGetGpuInstanceId
nvmlDeviceGetSupportedVgpus nvmlVgpuTypeGetName nvmlDeviceGetGridLicensableFeatures_v4
""".split()

A100, BUS_ID = "GPU-11111111-2222-3333-4444-555555555555", b"0000:41:00.0"


def take_every_seventh(library, state, done):
    """What another process does to the same GPU."""
    os.environ["GPUHOST_NVML_STATE"] = state
    client = Client(library)
    gpu = client.device()
    done.put([client.create(gpu, 19, start, 1)[0] for start in range(7)])
    client.nvml.nvmlShutdown()


class Client:
    def __init__(self, library):
        self.nvml = ctypes.CDLL(library)
        assert self.nvml.nvmlInit_v2() == SUCCESS

    def device(self):
        device = c_void_p()
        assert self.nvml.nvmlDeviceGetHandleByUUID(A100.encode(), byref(device)) == SUCCESS
        return device

    def mode(self, device):
        current, pending = c_uint(), c_uint()
        assert self.nvml.nvmlDeviceGetMigMode(device, byref(current), byref(pending)) == SUCCESS
        return current.value, pending.value

    def set_mode(self, device, mode):
        activation = c_uint()
        return self.nvml.nvmlDeviceSetMigMode(device, mode, byref(activation)), activation.value

    def create(self, device, profile, start=None, size=None):
        made = c_void_p()
        if start is None:
            return self.nvml.nvmlDeviceCreateGpuInstance(device, profile, byref(made)), made
        placement = Placement(start, size)
        return self.nvml.nvmlDeviceCreateGpuInstanceWithPlacement(device, profile, byref(placement),
                                                                  byref(made)), made

    def room(self, device, profile):
        count = c_uint()
        assert self.nvml.nvmlDeviceGetGpuInstanceRemainingCapacity(device, profile, byref(count)) == SUCCESS
        return count.value


class SecondClient(unittest.TestCase):
    library = template = None

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="gpuhost-nvml-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.state = os.path.join(self.folder, "state.json")
        shutil.copy(self.template, self.state)
        os.chmod(self.state, 0o644)
        os.environ["GPUHOST_NVML_STATE"] = self.state
        self.client = Client(self.library)
        self.nvml = self.client.nvml
        self.addCleanup(self.nvml.nvmlShutdown)

    def change(self, change):
        with open(self.state, encoding="utf-8") as file:
            state = json.load(file)
        change(state)
        with open(self.state, "w", encoding="utf-8") as file:
            json.dump(state, file)

    def partitioned(self):
        self.assertEqual(self.client.set_mode(self.client.device(), 1), (SUCCESS, SUCCESS))
        return self.client.device()

    def test_structs_are_as_large_as_nvidias(self):
        for struct, size in SIZES.items():
            self.assertEqual(ctypes.sizeof(struct), size, struct.__name__)
        self.assertEqual((ProfileInfoV3.name.offset, ProfileInfoV3.capabilities.offset), (48, 144))

    def test_functions_have_nvidias_names(self):
        for name in SYMBOLS:
            self.assertTrue(hasattr(self.nvml, name), name)

    def test_gpus_are_found_in_every_way(self):
        count, by_index, by_bus = c_uint(), c_void_p(), c_void_p()
        self.assertEqual(self.nvml.nvmlDeviceGetCount_v2(byref(count)), SUCCESS)
        self.assertEqual(count.value, 2)
        self.assertEqual(self.nvml.nvmlDeviceGetHandleByIndex_v2(0, byref(by_index)), SUCCESS)
        self.assertEqual(self.nvml.nvmlDeviceGetHandleByPciBusId_v2(BUS_ID, byref(by_bus)), SUCCESS)
        self.assertEqual({by_index.value, by_bus.value}, {self.client.device().value})
        self.assertEqual(self.nvml.nvmlDeviceGetHandleByIndex_v2(2, byref(by_index)), INVALID_ARGUMENT)
        self.assertEqual(self.nvml.nvmlDeviceGetHandleByUUID(b"GPU-none", byref(by_bus)), NOT_FOUND)
        pci = PciInfo()
        self.assertEqual(self.nvml.nvmlDeviceGetPciInfo_v3(self.client.device(), byref(pci)), SUCCESS)
        self.assertEqual((pci.busId, pci.pciDeviceId), (b"00000000:41:00.0", 0x20f110de))
        short = ctypes.create_string_buffer(8)
        self.assertEqual(self.nvml.nvmlDeviceGetUUID(self.client.device(), short, 8), INSUFFICIENT_SIZE)

    def test_licences_are_told_by_feature(self):
        features = LicensableFeatures()
        ask = self.nvml.nvmlDeviceGetGridLicensableFeatures_v4
        self.assertEqual(ask(self.client.device(), byref(features)), SUCCESS)
        self.assertEqual(features.isGridLicenseSupported, 0)
        self.change(lambda state: state["gpus"][0].update(licensed=True))
        self.assertEqual(ask(self.client.device(), byref(features)), SUCCESS)
        told = {feature.featureCode: feature.featureState
                for feature in features.gridLicensableFeatures[:features.licensableFeaturesCount]}
        self.assertEqual((features.isGridLicenseSupported, told[2]), (1, 1))

    def test_profiles_are_enumerated_to_the_end(self):
        names, holes, kind = {}, [], 0
        while True:
            info = ProfileInfoV3(version=ctypes.sizeof(ProfileInfoV3) | 3 << 24)
            answer = self.nvml.nvmlDeviceGetGpuInstanceProfileInfoV(self.client.device(), kind, byref(info))
            if answer == INVALID_ARGUMENT:
                break
            if answer == NOT_SUPPORTED:
                holes.append(kind)
            else:
                self.assertEqual(answer, SUCCESS)
                names[info.name.decode()] = info.id
            kind += 1
        self.assertEqual(kind, 18)
        self.assertIn(8, holes)
        self.assertEqual(names["MIG 3g.20gb"], 9)
        self.assertEqual(names["MIG 1g.5gb+me"], 20)
        wrong = ProfileInfoV3(version=ctypes.sizeof(ProfileInfoV3) | 4 << 24)
        self.assertEqual(self.nvml.nvmlDeviceGetGpuInstanceProfileInfoV(self.client.device(), 0, byref(wrong)),
                         VERSION_MISMATCH)

    def test_placements_exclude_each_other(self):
        gpu = self.partitioned()
        self.assertEqual(self.client.room(gpu, 19), 7)
        # github.com/NVIDIA/mig-parted tries permutations of a layout for this.
        for start in (0, 4):
            self.assertEqual(self.client.create(gpu, 19, start, 1)[0], SUCCESS)
        self.assertEqual(self.client.create(gpu, 9)[0], INSUFFICIENT_RESOURCES)
        self.assertEqual(self.client.create(gpu, 9, 1, 4)[0], INVALID_ARGUMENT)
        self.assertEqual(self.client.create(gpu, 99, 0, 1)[0], INVALID_ARGUMENT)
        self.assertEqual(self.client.room(gpu, 19), 5)

    def test_what_is_in_use_stays(self):
        gpu = self.partitioned()
        answer, half = self.client.create(gpu, 9, 4, 4)
        part = c_void_p()
        self.assertEqual(answer, SUCCESS)
        self.assertEqual(self.nvml.nvmlGpuInstanceCreateComputeInstance(half, 2, byref(part)), SUCCESS)
        self.assertEqual(self.nvml.nvmlGpuInstanceDestroy(half), IN_USE)
        self.change(lambda state: state["gpus"][0]["instances"][0].update(processes=[os.getpid()]))
        count, processes = c_uint(), (ProcessInfo * 4)()
        read = self.nvml.nvmlDeviceGetComputeRunningProcesses_v3
        self.assertEqual(read(gpu, byref(count), None), INSUFFICIENT_SIZE)
        self.assertEqual(read(gpu, byref(count), processes), SUCCESS)
        self.assertEqual((processes[0].pid, processes[0].gpuInstanceId), (os.getpid(), 2))
        self.assertEqual(self.nvml.nvmlComputeInstanceDestroy(part), IN_USE)
        self.change(lambda state: state["gpus"][0]["instances"][0].update(processes=[]))
        info = ComputeInstanceInfo()
        self.assertEqual(self.nvml.nvmlComputeInstanceGetInfo_v2(part, byref(info)), SUCCESS)
        self.assertEqual((info.gpuInstance, info.profileId, info.placement.size), (half.value, 2, 3))
        self.assertEqual(self.nvml.nvmlComputeInstanceDestroy(part), SUCCESS)
        self.assertEqual(self.nvml.nvmlComputeInstanceDestroy(part), INVALID_ARGUMENT)
        self.assertEqual(self.nvml.nvmlGpuInstanceDestroy(half), SUCCESS)

    def test_a_mode_is_pending_until_nobody_holds_the_gpu(self):
        self.change(lambda state: state["gpus"][0].update(held=True))
        gpu = self.client.device()
        self.assertEqual(self.client.set_mode(gpu, 1), (SUCCESS, IN_USE))
        self.assertEqual(self.client.mode(gpu), (0, 1))
        self.assertEqual(self.client.create(gpu, 9)[0], NOT_SUPPORTED)

    def test_a_reset_ends_instances_and_handles(self):
        gpu = self.partitioned()
        self.assertEqual(self.client.create(gpu, 9, 4, 4)[0], SUCCESS)
        self.assertEqual(self.nvml.gpuhost_test_reset(BUS_ID), IN_USE)
        self.assertEqual(self.nvml.nvmlShutdown(), SUCCESS)
        self.assertEqual(self.nvml.nvmlDeviceGetCount_v2(byref(c_uint())), UNINITIALIZED)
        self.assertEqual(self.nvml.gpuhost_test_reset(BUS_ID), SUCCESS)
        self.assertEqual(self.nvml.nvmlInit_v2(), SUCCESS)
        stale = c_uint()
        self.assertEqual(self.nvml.nvmlDeviceGetMigMode(gpu, byref(stale), byref(stale)), INVALID_ARGUMENT)
        self.assertEqual(self.client.mode(self.client.device()), (1, 1))
        self.assertEqual(self.client.room(self.client.device(), 19), 7)

    def test_others_than_root_may_only_look(self):
        gpu = self.partitioned()
        self.change(lambda state: state.update(privileged=False))
        self.assertEqual(self.client.mode(gpu), (1, 1))
        self.assertEqual(self.client.set_mode(gpu, 0)[0], NO_PERMISSION)
        count = c_uint()
        self.assertEqual(self.nvml.nvmlDeviceGetGpuInstances(gpu, 9, None, byref(count)), NO_PERMISSION)

    def test_faults_come_when_they_are_ordered(self):
        fault = {"function": "nvmlDeviceGetCount_v2", "nth": 2, "returns": 999}
        self.change(lambda state: state.update(faults=[fault]))
        answers = [self.nvml.nvmlDeviceGetCount_v2(byref(c_uint())) for _ in range(3)]
        self.assertEqual(answers, [SUCCESS, 999, SUCCESS])

    def test_processes_share_the_state(self):
        gpu = self.partitioned()
        done = multiprocessing.Queue()
        others = [multiprocessing.Process(target=take_every_seventh, args=(self.library, self.state, done))
                  for _ in range(2)]
        for other in others:
            other.start()
        answers = [done.get(timeout=30) for _ in others]
        for other in others:
            other.join()
        for first, second in zip(*answers):
            self.assertEqual({first, second}, {SUCCESS, INSUFFICIENT_RESOURCES}, answers)
        self.assertEqual(self.client.room(gpu, 19), 0)


if __name__ == "__main__":
    SecondClient.library, SecondClient.template = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1])
