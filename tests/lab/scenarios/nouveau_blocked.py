"""nouveau, which has taken hold of the GPUs, is unloaded and kept from them over a boot, initramfs included; a run that
fails in the middle of that loads it again."""

REBOOTS = True

WANTED = """\
apiVersion: gpuhost/v1
kind: HostState
metadata: {name: lab}
policy: {disruption: remove-idle}
kernel: {modules: {nouveau: {state: blocked}}}
"""
# Fails when the module is gone, or after ten seconds.
BROKEN = """\
#!/bin/sh
for attempt in $(seq 100); do
  test -e /sys/module/nouveau || exit 1
  sleep 0.1
done
exit 1
"""
INITRAMFS_LIMIT = 400


def run(vm):
    vm.run("test -e /sys/module/nouveau && journalctl -k | grep -q 'nouveau 0000:01:00.0: unknown chipset'")
    vm.write("/etc/gpuhost/host.yaml", WANTED)
    undone(vm)

    vm.run("gpuhost apply --yes", seconds=INITRAMFS_LIMIT)
    is_blocked(vm)
    vm.run("lsinitramfs /boot/initrd.img-$(uname -r) | grep -q zz-gpuhost.conf")
    vm.reboot()
    is_blocked(vm)
    vm.run("test -z \"$(journalctl -k -b | grep 'nouveau 0000:')\"")
    vm.run("gpuhost plan --detailed-exitcode && gpuhost verify")

    vm.run("gpuhost release --yes", seconds=INITRAMFS_LIMIT)
    vm.run("! grep -rq nouveau /etc/modprobe.d && modprobe nouveau")


def undone(vm):
    vm.run("mv /usr/sbin/update-initramfs /usr/sbin/update-initramfs.whole")
    vm.write("/usr/sbin/update-initramfs", BROKEN)
    vm.run("chmod 755 /usr/sbin/update-initramfs")
    vm.run("gpuhost apply --yes", status=4)
    vm.run("test -e /sys/module/nouveau && ! grep -rqs nouveau /etc/modprobe.d")
    vm.run("mv /usr/sbin/update-initramfs.whole /usr/sbin/update-initramfs")


def is_blocked(vm):
    vm.run("! test -e /sys/module/nouveau")
    vm.run("modprobe nouveau", status=1)
