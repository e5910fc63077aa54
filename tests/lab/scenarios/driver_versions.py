"""A driver from a .run file and from a deb: installed on a host where nouveau has the GPUs, upgraded and downgraded under a
vGPU, removed; and installers that cannot be trusted change nothing.
"""

import driver_installers

REBOOTS = False

OLD, NEW = "550.54.16", "550.90.05"  # the managers of vGPU 17.1, and of 17.2 and 17.3
HEAD = """\
apiVersion: gpuhost/v1
kind: HostState
metadata: {name: lab}
policy: {disruption: reload-driver}
kernel: {modules: {nouveau: {state: blocked}}}
"""
VGPU = "gpus: [{name: small, match: {model: T4}, mode: vgpu, vgpus: [{name: desk, type: T4-4Q}]}]\n"
NO_DRIVER = HEAD + "driver: {flavor: none}\n"
VGPUS = "/sys/bus/mdev/devices"


def run(vm):
    by_run_file(vm)
    vm.write("/root/none.yaml", NO_DRIVER)
    apply(vm, "none.yaml")
    vm.run("! modinfo nvidia && ! test -e /sys/module/nvidia && ! test -e /usr/bin/nvidia-uninstall")
    by_deb(vm)
    apply(vm, "none.yaml")
    vm.run(f"! modinfo nvidia && ! dpkg -s {driver_installers.PACKAGE} | grep -q '^Status: .* installed'")


def by_run_file(vm):
    old, new = (driver_installers.run_file(vm, version) for version in (OLD, NEW))
    install(vm, "runfile", old, OLD)
    install(vm, "runfile", new, NEW)
    idle = driver_installers.run_file(vm, OLD, works=False)
    cannot_be_trusted(vm, idle)
    does_nothing(vm, idle)
    install(vm, "runfile", old, OLD)


def by_deb(vm):
    old, new = (driver_installers.deb(vm, version) for version in (OLD, NEW))
    for path, version in ((old, OLD), (new, NEW), (old, OLD)):
        install(vm, "deb", path, version)
        vm.run(f"test $(dpkg-query -W -f '${{Version}}' {driver_installers.PACKAGE}) = {version}")


def digest(vm, path):
    return vm.run(f"sha256sum {path}").split()[0]


def write(vm, form, path, version, sha256):
    vm.write("/root/driver.yaml", f"{HEAD}driver: {{flavor: vgpu-manager, product: nvaie, version: {version}, "
                                  f"source: {{{form}: {path}, sha256: \"{sha256}\"}}}}\n{VGPU}")


def apply(vm, document):
    vm.run(f"gpuhost apply -f {document} --yes && gpuhost verify -f {document}", seconds=300)
    vm.run(f"gpuhost plan -f {document} --detailed-exitcode")


def install(vm, form, path, version):
    write(vm, form, path, version, digest(vm, path))
    apply(vm, "driver.yaml")
    has(vm, version)


def has(vm, version):
    vm.run(f"test $(cat /sys/module/nvidia/version) = {version} && test $(modinfo -F version nvidia) = {version}")
    vm.run(f"test $(ls {VGPUS} | wc -l) = 1 && test -e /sys/module/nvidia_vgpu_vfio")


def cannot_be_trusted(vm, path):
    """Another file than was meant, and one that was cut off."""
    write(vm, "runfile", path, OLD, "0" * 64)
    assert "sha256" in vm.run("gpuhost apply -f driver.yaml --yes", status=7)
    meant = digest(vm, path)
    vm.run(f"head -c 20000 {path} > /srv/nvidia/cut.run")
    write(vm, "runfile", "/srv/nvidia/cut.run", OLD, meant)
    vm.run("gpuhost apply -f driver.yaml --yes", status=7)
    has(vm, NEW)


def does_nothing(vm, path):
    """An installer that ends well and has done nothing: the driver from before is back."""
    write(vm, "runfile", path, OLD, digest(vm, path))
    said = vm.run("gpuhost apply -f driver.yaml --yes", status=4, seconds=300)
    assert "ended without an error, and the driver that is installed is" in said, said
    has(vm, NEW)
