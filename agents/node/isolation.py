"""What a payload can reach of this host: with ``bwrap`` its own files and inputs, Python and its
devices, and nothing else; with ``none`` whatever the agent's user can.

The profile is chosen once, when the agent starts, by trying it: that bubblewrap is installed says
little, since a host may refuse user namespaces. ``command`` is pure: the same box, the same words.
"""

import logging
import os
import platform
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from agents.node import shim
from agents.node.workspace import Workspace
from agents.protocol.base import Reason, Resources
from agents.protocol.link import DeviceInfo

log = logging.getLogger(__name__)

CODE = Path(__file__).parents[1]  # the package `agents`: the runner's, nothing secret in it
UID = 1000  # inside; outside it is the agent's user, without any capability
TRY_SECONDS = 20.0
LEAST_TMPFS_BYTES = 64 * 1024**2
PROCESSES, PROCESSES_PER_CORE = 1024, 256  # and threads, of one workload

# of /etc only what programs look for; keys below /etc/ssl and /etc/pki stay where they are
ETC = (
    *("resolv.conf", "hosts", "host.conf", "nsswitch.conf", "gai.conf", "services", "protocols"),
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime", "timezone"),
    *("ssl/certs", "ssl/openssl.cnf", "pki/tls/certs", "pki/ca-trust/extracted", "crypto-policies"),
    *("fonts", "mime.types", "os-release", "debian_version", "OpenCL", "vulkan", "glvnd"),
)
SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")  # links into /usr, or folders
CAPABILITIES = Path("/proc/driver/nvidia/capabilities")  # of slices, by the driver
HARDWARE = (  # how many cores, which of them near a card, which networks: asked by torch and NCCL
    *("/sys/devices", "/sys/bus/pci", "/sys/class/net", "/sys/class/infiniband"),
    *("/sys/class/pci_bus", "/sys/module/nvidia", "/sys/module/nvidia_uvm"),
)
# the kernel's own switches: a process of the host's root may turn them without any capability, and
# under an agent of root that is what a payload is
KERNEL = (
    *("acpi", "bus", "driver", "fs", "irq", "mtrr", "pressure", "scsi", "sys", "sysrq-trigger"),
    "tty",
)
# every CUDA program opens these, they show no card by themselves; the last is for cards of a gang
NVIDIA = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/infiniband")


class Profile(StrEnum):
    BWRAP = "bwrap"
    NONE = "none"


class Wanted(StrEnum):
    """What the agent is told to use."""

    AUTO = "auto"  # bwrap if it works
    BWRAP = "bwrap"
    NONE = "none"


class Unavailable(Exception):
    """Isolation was demanded and this host does not give it."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        detail = self.reason.params.get("detail", "")
        return f"isolation = bwrap does not work here{f' ({detail})' if detail else ''}: " + {
            "isolation_not_installed": "install bubblewrap (apt install bubblewrap)",
            "isolation_refused": "let users make namespaces (sysctl user.max_user_namespaces=15000"
            " kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0),"
            " or say --isolation none",
        }.get(self.reason.code, self.reason.code)


@dataclass(frozen=True)
class Share:
    """A folder of this host that every payload sees at the same path."""

    path: Path
    writable: bool = False


@dataclass(frozen=True)
class Host:
    """What of this host is the same in every box, looked up once."""

    bwrap: str
    state: Path
    mounts: tuple[str, ...]  # words of bwrap that make the system, Python and the runner appear
    shares: tuple[Share, ...] = ()
    seccomp: Path | None = None  # None: a processor that we know no numbers of calls for
    disables_userns: bool = True


@dataclass(frozen=True)
class Box:
    """What is a workload's own."""

    workspace: Path
    memory_bytes: int
    environments: Path | None = None  # only who builds one
    network: bool = True
    devices: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Isolation:
    """The profile of this agent, and why it is no better."""

    profile: Profile
    reason: Reason | None = None
    host: Host | None = None

    def command(self, box: Box, argv: Sequence[str]) -> list[str]:
        """How to run this in the box, or as it is."""
        return list(argv) if self.host is None else command(self.host, box, argv)


def none(code: str = "isolation_turned_off") -> Isolation:
    return Isolation(Profile.NONE, Reason(code=code))


def choose(wanted: Wanted, state: Path, shares: Iterable[Share] = ()) -> Isolation:
    """The profile to work with; raises ``Unavailable`` if a demanded one does not work.

    A share that would show the state folder is refused with ``ValueError``, whatever the profile.
    """
    shares = tuple(shares)
    for share in shares:
        here = share.path.resolve()
        if here == state or here in state.resolve().parents or state in here.parents:
            raise ValueError(f"{share.path} cannot be shared: the agent's own folder is {state}")
    if wanted is Wanted.NONE:
        return none()
    found = shutil.which("bwrap", path=os.environ.get("PATH", "") + ":/usr/local/bin:/usr/bin")
    if found is None:
        reason = Reason(code="isolation_not_installed")
    else:
        host = look_around(found, state, shares)
        trouble = attempt(host)
        if trouble is None:
            return Isolation(Profile.BWRAP, host=host)
        reason = Reason(code="isolation_refused", params={"detail": trouble[:300]})
    if wanted is Wanted.BWRAP:
        raise Unavailable(reason)
    log.warning("payloads are not isolated: %s", Unavailable(reason))
    return Isolation(Profile.NONE, reason)


def attempt(host: Host) -> str | None:
    """Why a payload cannot be run in a box of this host; None if it can."""
    with tempfile.TemporaryDirectory(prefix="isolation-", dir=host.state) as folder:
        here = Workspace(Path(folder))
        here.create()
        here.write("order.json", {})
        argv = command(host, Box(here.folder, LEAST_TMPFS_BYTES), [sys.executable, "-I", "-c", ""])
        try:
            with opened(host) as files:
                tried = subprocess.run(
                    argv,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    env={"PATH": os.defpath},
                    timeout=TRY_SECONDS,
                    pass_fds=files,
                    check=False,
                )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
    if tried.returncode == 0:
        return None
    said = tried.stderr.decode("utf-8", "replace").strip().splitlines()
    return said[-1] if said else f"exit status {tried.returncode}"


@contextmanager
def opened(host: Host) -> Iterator[list[int]]:
    """The files that ``command`` counts on, open under the numbers that it names."""
    with open(os.devnull, "wb") as status:
        os.dup2(status.fileno(), shim.STATUS_FILE)
    files = [shim.STATUS_FILE]
    try:
        if host.seccomp is not None:
            with host.seccomp.open("rb") as rules:
                os.dup2(rules.fileno(), shim.SECCOMP_FILE)
            files.append(shim.SECCOMP_FILE)
        yield files
    finally:
        for file in files:
            os.close(file)


# --- what is looked up once ----------------------------------------------------------------------


def look_around(bwrap: str, state: Path, shares: tuple[Share, ...] = ()) -> Host:
    """This host's system and Python, as words of bubblewrap; writes what is made up for all."""
    made_up = state / "isolation"
    made_up.mkdir(mode=0o700, parents=True, exist_ok=True)
    nobody = "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
    user = f"datahall:x:{UID}:{UID}:datahall:/:/bin/sh\n"
    (made_up / "passwd").write_text(f"root:x:0:0:root:/:/usr/sbin/nologin\n{user}{nobody}")
    (made_up / "group").write_text(f"root:x:0:\ndatahall:x:{UID}:\nnogroup:x:65534:\n")
    rules = seccomp_rules(platform.machine())
    if rules is not None:
        (made_up / "seccomp").write_bytes(rules)
    return Host(
        bwrap=bwrap,
        state=state,
        mounts=tuple(_system(made_up, state)),
        shares=shares,
        seccomp=made_up / "seccomp" if rules is not None else None,
        disables_userns="--disable-userns" in _help_of(bwrap),
    )


def _system(made_up: Path, state: Path) -> Iterator[str]:
    yield from ("--ro-bind", "/usr", "/usr")
    for name in SYSTEM:
        path = Path(name)
        if path.is_symlink():
            yield from ("--symlink", os.readlink(path), name)
        elif path.is_dir():
            yield from ("--ro-bind", name, name)
    for name in ETC:
        real = Path("/etc", name).resolve()
        if real.exists():
            yield from ("--ro-bind", str(real), f"/etc/{name}")
    for name in ("passwd", "group"):
        yield from ("--ro-bind", str(made_up / name), f"/etc/{name}")
    for name in HARDWARE:
        yield from ("--ro-bind-try", name, name)
    for folder in python_folders():
        yield from ("--ro-bind", str(folder), str(folder))
        if state.is_relative_to(folder):
            yield from ("--tmpfs", str(state))  # covered again: it holds the node's key


def python_folders() -> list[Path]:
    """Where our Python, its packages and the runner are, as far as not below /usr."""
    found = {Path(sys.prefix), Path(sys.base_prefix), Path(sys.exec_prefix), CODE}
    at = Path(sys.executable)
    while True:  # a link may lead through folders that are neither's prefix
        if at.parent.name == "bin":
            found.add(at.parent.parent)
        if not at.is_symlink():
            break
        at = at.parent / os.readlink(at)
    outside = {Path(os.path.normpath(path)) for path in found}
    outside = {path for path in outside if not path.is_relative_to("/usr") and path != Path("/")}
    return sorted(path for path in outside if not outside & set(path.parents))


def _help_of(bwrap: str) -> str:
    return subprocess.run([bwrap, "--help"], capture_output=True, text=True, check=False).stdout


# --- one box -------------------------------------------------------------------------------------


def command(host: Host, box: Box, argv: Sequence[str]) -> list[str]:
    """The words that run ``argv`` in a box.

    The environment is not among them: others can read a command line, so it is bubblewrap's own,
    which is the job's contract and nothing else.
    """
    return [
        host.bwrap,
        *("--unshare-user", "--uid", str(UID), "--gid", str(UID)),
        *("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
        *(() if box.network else ("--unshare-net",)),
        *(("--disable-userns",) if host.disables_userns else ()),
        *("--cap-drop", "ALL", "--new-session", "--die-with-parent"),
        *("--json-status-fd", str(shim.STATUS_FILE)),
        *(() if host.seccomp is None else ("--seccomp", str(shim.SECCOMP_FILE))),
        *_temporary(box),
        *host.mounts,
        *_devices(box),
        *_shares(host),
        *_workspace(box),
        *("--remount-ro", "/dev", "--remount-ro", "/"),
        *("--chdir", str(Workspace(box.workspace).work), "--", *argv),
    ]


def _temporary(box: Box) -> Iterator[str]:
    """Memory that looks like files: together never more than the workload asked for."""
    half = str(max(LEAST_TMPFS_BYTES, box.memory_bytes // 2))
    yield from ("--proc", "/proc", "--dev", "/dev")
    for name in KERNEL:
        yield from ("--ro-bind-try", f"/proc/{name}", f"/proc/{name}")
    for folder in ("/tmp", "/dev/shm"):
        yield from ("--perms", "1777", "--size", half, "--tmpfs", folder)
    yield from ("--dir", "/run", "--dir", "/var", "--symlink", "/tmp", "/var/tmp")


def _devices(box: Box) -> Iterator[str]:
    if box.devices:
        for name in NVIDIA:
            yield from ("--dev-bind-try", name, name)
    for path in box.devices:
        yield from ("--dev-bind", str(path), str(path))


def _shares(host: Host) -> Iterator[str]:
    for share in host.shares:
        yield from ("--bind" if share.writable else "--ro-bind", str(share.path), str(share.path))


def _workspace(box: Box) -> Iterator[str]:
    """At its own path. What the daemon and the shim tell one another there is not in the box."""
    here = Workspace(box.workspace)
    yield from ("--perms", "755", "--size", "65536", "--tmpfs", str(here.folder))
    for path in (here.folder / "order.json", here.fetched, here.fetched_code):
        yield from ("--ro-bind", str(path), str(path))
    writable = [here.inputs, here.outputs, here.checkpoints, here.work, here.told, here.metrics]
    if box.environments is not None:
        writable.append(box.environments)
    for path in writable:
        yield from ("--bind", str(path), str(path))
    yield from ("--remount-ro", str(here.folder))


def most_processes(resources: Resources) -> int:
    """Processes and threads that are enough for any program and too few to choke a host."""
    return PROCESSES + PROCESSES_PER_CORE * max(1, resources.cpu_millis // 1000)


def device_files(
    device: DeviceInfo, devices: Mapping[str, DeviceInfo], capabilities: Path = CAPABILITIES
) -> list[Path] | None:
    """The files of one leased device; none for a simulated one, None if they are not known.

    A slice of a card (MIG) is reached through its card's file and those of its own capabilities.
    """
    if device.simulated:
        return []
    card = devices.get(device.parent, device)
    minor = card.facts.get("minor")
    if not isinstance(minor, int):
        return None
    files = [Path(f"/dev/nvidia{minor}")]
    instance, part = (device.facts.get(name) for name in ("gpu_instance", "compute_instance"))
    if instance is None:
        return None if device.uuid.startswith("MIG-") else files
    slice_ = capabilities / f"gpu{minor}" / "mig" / f"gi{instance}"
    for access in (slice_ / "access", slice_ / f"ci{part}" / "access"):
        number = _capability_minor(access)
        if number is None:
            return None
        files.append(Path(f"/dev/nvidia-caps/nvidia-cap{number}"))
    return files


def _capability_minor(access: Path) -> int | None:
    """What the driver says of a capability: ``DeviceFileMinor: 21`` is one of its lines."""
    try:
        lines = access.read_text("ascii").splitlines()
    except (OSError, ValueError):
        return None
    for line in lines:
        name, _, value = line.partition(":")
        if name == "DeviceFileMinor" and value.strip().isdecimal():
            return int(value)
    return None


# --- calls that no payload has a use for ---------------------------------------------------------

ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | 1  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO with EPERM
LOAD, IS, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06  # BPF_LD|W|ABS, JMP|JEQ|K, JMP|JGE|K, RET|K
NUMBER, ARCHITECTURE, SECOND_ARGUMENT = 0, 4, 24  # offsets in struct seccomp_data
TYPES_INTO_TERMINAL = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX
X32 = 0x40000000

# by architecture: its audit number, its ioctl, and the calls that are refused: keys of the kernel,
# bpf, perf, userfaultfd, io_uring, mounts, modules, kexec, other processes' files
CALLS = {
    "x86_64": (
        0xC000003E,
        16,
        (
            *(248, 249, 250, 321, 298, 323, 425, 426, 427, 165, 166, 155, 428, 429, 430),
            *(175, 313, 176, 246, 320, 304, 308, 438, 103, 163, 167, 168, 169),
        ),
    ),
    "aarch64": (
        0xC00000B7,
        29,
        (
            *(217, 218, 219, 280, 241, 282, 425, 426, 427, 40, 39, 41, 428, 429, 430),
            *(105, 273, 106, 104, 294, 265, 268, 438, 116, 89, 224, 225, 142),
        ),
    ),
}


def seccomp_rules(machine: str) -> bytes | None:
    """A filter for ``bwrap --seccomp``, in the kernel's own words; None for other processors."""
    if machine not in CALLS:
        return None
    architecture, ioctl, refused = CALLS[machine]
    refuse = (RETURN, 0, 0, REFUSE)
    program = [
        *((LOAD, 0, 0, ARCHITECTURE), (IS, 1, 0, architecture), refuse),
        *((LOAD, 0, 0, NUMBER), (AT_LEAST, 0, 1, X32), refuse),
    ]
    for number in refused:
        program += [(IS, 0, 1, number), refuse]
    program += [(IS, 1, 0, ioctl), (RETURN, 0, 0, ALLOW), (LOAD, 0, 0, SECOND_ARGUMENT)]
    for number in TYPES_INTO_TERMINAL:
        program += [(IS, 0, 1, number), refuse]
    program.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("=HBBI", *line) for line in program)
