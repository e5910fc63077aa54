"""A virtual machine of QEMU: an agent inside that runs commands, a folder shared with it, and the monitor.

It listens nowhere: monitor and agent are socket pairs, which end with this process, as QEMU itself does.
"""

import ctypes
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import tarfile
import time

MEMORY_MB = 2048
SHARE = "/mnt/lab"
# Under emulation and beside other work; an idle machine needs a tenth.
BOOT_LIMIT = 600
COMMAND_LIMIT = 240
MONITOR_LIMIT = 60
STOP_LIMIT = 10
PR_SET_PDEATHSIG = 1
A100 = "lab-gpu,device-id=0x20b0,sub-device-id=0x134f,functions=16,function-device-id=0x20b0"
GPUS = [  # at 0000:01:00.0 and on, each behind a root port of its own
    A100,
    A100,
    "lab-gpu,device-id=0x1eb8,sub-device-id=0x12a2",  # T4
    "lab-gpu,device-id=0x2231,sub-device-id=0x147e,class=0x300",  # RTX A5000, with a display
]


class Failed(Exception):
    """The machine, or a command in it, did not do what a scenario rests on."""


class Lines:
    """JSON messages, one a line, over a socket."""

    def __init__(self, end):
        self.socket = end
        self.received = b""

    def send(self, message):
        self.socket.sendall(json.dumps(message).encode() + b"\n")

    def next(self, deadline):
        """The next message; None at the deadline. What is no message, as half of one before a reset, is passed over."""
        while True:
            while b"\n" in self.received:
                line, self.received = self.received.split(b"\n", 1)
                try:
                    return json.loads(line)
                except ValueError:
                    continue
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                return None
            if not data:
                raise Failed("QEMU has ended")
            self.received += data


class Monitor:
    """QEMU's, in its JSON protocol."""

    def __init__(self, end):
        self.lines = Lines(end)
        self.await_message(lambda message: "QMP" in message, "the monitor's greeting")
        self.run("qmp_capabilities")

    def await_message(self, holds, what):
        deadline = time.monotonic() + MONITOR_LIMIT
        while message := self.lines.next(deadline):
            if "error" in message:
                raise Failed(f"QEMU refuses: {message['error']['desc']}")
            if holds(message):
                return message
        raise Failed(f"no sign of {what} in {MONITOR_LIMIT} s")

    def run(self, command, **arguments):
        self.lines.send({"execute": command, "arguments": arguments})
        return self.await_message(lambda message: "return" in message, f"an answer to {command}")["return"]

    def await_migration(self):
        def ended(message):
            state = message.get("data", {}).get("status") if message.get("event") == "MIGRATION" else None
            if state == "failed":
                raise Failed("QEMU cannot save or load the machine's state")
            return state == "completed"

        self.await_message(ended, "an end of saving or loading")


def as_root(member):
    member.uid = member.gid = 0
    return member


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def device_arguments():
    words = ["-device", "intel-iommu,intremap=on,caching-mode=on"]
    for index, gpu in enumerate(GPUS):
        port = f"gpu-port{index}"
        words += ["-device", f"pcie-root-port,id={port},chassis={index + 1},slot={index + 1},addr={0x18 + index:#x}",
                  "-device", f"{gpu},bus={port}"]
    return words


class Machine:
    """One machine with a disk of its own. Use with `with`: it is off at the end, however that comes."""

    def __init__(self, folder, disk, image, accelerator):
        self.folder = folder
        self.disk = disk
        self.device = image / "lab_gpu.so"
        self.accelerator = accelerator
        self.process = None
        self.boot = None
        self.build = None
        self.asked = 0
        self.share = folder / "share"
        self.share.mkdir(exist_ok=True)

    def arguments(self, agent, monitor):
        return [
            "qemu-system-x86_64", *self.accelerator, "-machine", "q35,kernel-irqchip=split", "-smp", "1", "-m",
            str(MEMORY_MB), "-nodefaults", "-display", "none",
            "-drive", f"file={self.disk},format=qcow2,if=none,id=disk,cache=unsafe", "-device",
            "virtio-blk-pci,drive=disk,bootindex=1",
            "-object", "rng-random,id=random,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=random",
            "-device", "virtio-serial-pci", "-chardev", f"socket,id=agent,fd={agent}",
            "-device", "virtserialport,chardev=agent,name=gpuhost.lab",
            "-chardev", f"socket,id=monitor,fd={monitor}", "-mon", "chardev=monitor,mode=control",
            "-chardev", f"file,id=console,path={self.folder}/console.log,append=on", "-serial", "chardev:console",
            "-virtfs", f"local,path={self.share},mount_tag=lab,security_model=none", *device_arguments(),
        ]

    def power_on(self, *arguments):
        ours, theirs = zip(socket.socketpair(), socket.socketpair())
        ends = [end.fileno() for end in theirs]
        with open(self.folder / "qemu.log", "ab") as log:
            self.process = subprocess.Popen([*self.arguments(*ends), *arguments], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, pass_fds=ends, preexec_fn=die_with_parent,
                                            env=os.environ | {"LD_PRELOAD": str(self.device)})
        for end in theirs:
            end.close()
        self.agent = Lines(ours[0])
        self.monitor = Monitor(ours[1])

    def restore(self, state):
        """On, as the machine was whose state was saved."""
        self.power_on("-incoming", "defer")
        self.tell_migrations()
        self.monitor.run("migrate-incoming", uri=f"exec:cat {shlex.quote(str(state))}")
        self.monitor.await_migration()
        self.monitor.run("cont")
        self.run(f"date --set=@{time.time():.0f}")
        self.boot = self.run("cat /proc/sys/kernel/random/boot_id").strip()
        self.mount_share()

    def save(self, state):
        """Memory and devices; off afterwards. The disk goes with it."""
        self.tell_migrations()
        self.monitor.run("stop")
        self.monitor.run("migrate", uri=f"exec:cat > {shlex.quote(str(state))}")
        self.monitor.await_migration()
        self.power_off()

    def tell_migrations(self):
        self.monitor.run("migrate-set-capabilities", capabilities=[{"capability": "events", "state": True}])
        self.monitor.run("migrate-set-parameters", **{"max-bandwidth": 4_000_000_000})

    def power_off(self):
        """As by the plug. What the guest has written to its disk is there, what it has not is lost."""
        if self.process is None:
            return
        self.process.kill()
        self.process.wait(STOP_LIMIT)
        self.process = None

    def await_boot(self):
        """Until systemd inside has started all that it starts at boot."""
        deadline = time.monotonic() + BOOT_LIMIT
        while message := self.agent.next(deadline):
            if message.get("boot") not in (None, self.boot):
                self.boot = message["boot"]
                self.mount_share()
                self.ask("systemctl is-system-running --wait", max(deadline - time.monotonic(), 1))
                return
        raise Failed(f"the machine did not boot in {BOOT_LIMIT} s")

    def mount_share(self):
        self.run(f"mkdir -p {SHARE} && mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 lab {SHARE}")

    def reboot(self):
        """From inside, through the boot loader, and until it is up again."""
        self.ask("systemctl reboot")
        self.await_boot()

    def ask(self, command, seconds=COMMAND_LIMIT):
        """(exit status, output) of a shell command; None as status for one that took longer and was ended."""
        self.asked += 1
        self.agent.send({"id": self.asked, "command": ["/bin/bash", "-c", command], "seconds": seconds})
        deadline = time.monotonic() + seconds + STOP_LIMIT
        while answer := self.agent.next(deadline):
            if answer.get("id") == self.asked:
                return answer["status"], answer["output"]
        raise Failed(f"no answer in {seconds} s to: {command}")

    def run(self, command, status=0, seconds=COMMAND_LIMIT):
        """The output of a command that ends with this status, or Failed with what it said."""
        ended, output = self.ask(command, seconds)
        if ended != status:
            how = f"took longer than {seconds} s" if ended is None else f"ended with {ended}, not {status}"
            raise Failed(f"{how}: {command}\n{output}")
        return output

    def write(self, path, text):
        """A file in the machine, readable by all, writable by root."""
        (self.share / "written").write_text(text)
        self.run(f"install -D -m 644 {SHARE}/written {shlex.quote(path)}")

    def install(self, build):
        """gpuhost, as its build installs itself."""
        self.build = build
        staged = self.share / "staged"
        shutil.rmtree(staged, ignore_errors=True)
        subprocess.run(["cmake", "--install", str(build), "--strip"], env=os.environ | {"DESTDIR": str(staged)},
                       stdout=subprocess.DEVNULL, check=True)
        self.unpack(staged)
        self.run("systemctl daemon-reload")

    def unpack(self, tree):
        """Lays a tree over the machine's. As one file: each costs the shared folder a dozen round trips."""
        with tarfile.open(self.share / "tree.tar", "w") as tar:
            tar.add(tree, "/", filter=as_root)
        self.run(f"tar -C / -xf {SHARE}/tree.tar --no-overwrite-dir")

    def collect(self):
        """What the kernel, the services and gpuhost have said, for whoever looks at a failure."""
        told = (self.folder / "console.log").read_text(errors="replace")[-3000:]
        if self.process and self.process.poll() is None:
            told += self.ask("journalctl --no-pager --lines=150; ls -l /var/lib/gpuhost /run/gpuhost")[1]
        return told + (self.folder / "qemu.log").read_text(errors="replace")[-1000:]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.power_off()
