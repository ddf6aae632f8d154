"""Row L of the attack list: what a payload in a box can do to its host and to others.

Every payload here is a real script under a real agent. None writes where a hole would hurt this
machine: what must be closed is opened for writing, and nothing is written.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from agents.node import isolation, limits, shim
from agents.node.isolation import Box, Isolation
from agents.node.workspace import Workspace
from agents.protocol.base import Resources
from agents.protocol.link import DeviceInfo, WorkloadReport
from agents.protocol.rest import GangPlace, StartAnswer, Ticket
from agents.protocol.specs import FileRef, Input, ScriptSpec, WorkloadSpec
from agents.protocol.workloads import Cause, WorkloadState
from tests.agents.node.conftest import ROOT, Agent
from tests.agents.node.double import Double
from tests.agents.node.waiting import is_alive, wait_for

S = WorkloadState
MIB = 1024**2


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> isolation.Host:
    """This host, if it can build boxes."""
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        pytest.skip("bubblewrap is not installed")
    found = isolation.look_around(bwrap, tmp_path_factory.mktemp("state"))
    if trouble := isolation.attempt(found):
        pytest.skip(f"bubblewrap does not work here: {trouble}")
    return found


class Site:
    """One agent that isolates, and a control plane that sends it hostile scripts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plane = Double()
        self.plane.start()
        self.agent = Agent(folder / "node", self.plane)
        self.agent.isolation = "bwrap"
        self.shared = folder / "shared"
        self.shared.mkdir()
        self.agent.start("--share", str(self.shared))

    @property
    def state(self) -> Path:
        return self.agent.state.folder

    def start(self, code: str, *arguments: object, memory_bytes: int = 2**30, **spec: Any) -> UUID:
        body = code.encode()
        more = {"network": spec.pop("network", "host"), "inputs": spec.pop("inputs", [])}
        workload = self.plane.want(
            WorkloadSpec(
                name="hostile",
                payload=ScriptSpec(
                    code=FileRef(path="main.py", digest=self.plane.put(body), size=len(body)),
                    entrypoint="main.py",
                    arguments=[str(argument) for argument in arguments],
                    env=spec.pop("env", {}),
                ),
                resources=Resources(cpu_millis=1000, memory_bytes=memory_bytes),
                **more,
                **spec,
            )
        )
        self.plane.tell_to_look()
        return workload

    def run(self, code: str, *arguments: object, **spec: Any) -> Any:
        """What a script printed as its last line, as JSON, once it has succeeded."""
        workload = self.start(code, *arguments, **spec)
        report = self.plane.final(workload)
        log = self.plane.log(workload)
        assert report.state == S.SUCCEEDED, f"{report.reason}\n{log}"
        return json.loads(log.splitlines()[-1])

    def ended(self, workload: UUID) -> WorkloadReport:
        return self.plane.final(workload)

    def says(self, workload: UUID, text: str) -> None:
        wait_for(lambda: text in self.plane.log(workload), f"{text!r} in the log")

    def workspace(self, workload: UUID) -> Path:
        return self.agent.state.workloads / str(workload)


@pytest.fixture(scope="module")
def site(host: isolation.Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    one = Site(tmp_path_factory.mktemp("site"))
    yield one
    one.agent.close()
    one.plane.stop()


@pytest.fixture
def boxed(host: isolation.Host, tmp_path: Path) -> Callable[..., "subprocess.Popen[bytes]"]:
    """Run a shell's words in a box, without agent or shim."""

    def run(words: str, *, host: isolation.Host = host, **box: Any) -> "subprocess.Popen[bytes]":
        here = Workspace(tmp_path / "workspace")
        here.create()
        here.write("order.json", {})
        command = isolation.command(host, Box(here.folder, 2**28, **box), ["/bin/sh", "-c", words])
        with isolation.opened(host) as files:
            return subprocess.Popen(
                command, pass_fds=files, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )

    return run


# what each of some paths answers to being read, as the name of an error or "read"
READS = """
import errno, json, os, sys
def read(path):
    try:
        if os.path.isdir(path):
            os.listdir(path)
        else:
            open(path, "rb").read(1)
        return "read"
    except OSError as error:
        return errno.errorcode[error.errno]
print(json.dumps([read(path) for path in sys.argv[1:]]))
"""

# the same for being opened for writing, which changes nothing
WRITES = """
import errno, json, os, sys
def opens(path):
    try:
        if os.path.isdir(path):
            path += "/new"
            os.mkdir(path)
            os.rmdir(path)
        else:
            os.close(os.open(path, os.O_WRONLY))
        return "written"
    except OSError as error:
        return errno.errorcode[error.errno]
print(json.dumps([opens(path) for path in sys.argv[1:]]))
"""

WAITS = """
import os, sys, time
print("waiting", os.getpid(), flush=True)
while True:
    time.sleep(1)
"""


class TestWhatIsSeen:
    def test_nothing_of_the_agent(self, site: Site) -> None:
        """F-13: its key, its identity, its journal and spool, and the folders of others."""
        other = site.start(WAITS)
        site.says(other, "waiting")
        theirs = site.workspace(other)
        state = site.agent.state
        hidden = [
            *(state.key_file, state.identity_file, state.database, state.store, state.folder / "x"),
            *(theirs, theirs / "order.json", theirs / "work", theirs / "outputs"),
            *("/root/.ssh", "/etc/shadow", "/etc/ssl/private", "/var/lib", "/run/secrets", "/boot"),
            *(
                ROOT / "apps",
                ROOT / ".git",
                "/sys/fs/cgroup",
                "/sys/kernel",
                f"/proc/{os.getpid()}",
            ),
        ]

        assert site.run(READS, *hidden) == ["ENOENT"] * len(hidden)
        assert state.key_file.exists()

        site.plane.want_stop(other)
        site.ended(other)

    def test_what_the_agent_and_the_shim_tell_one_another(self, site: Site) -> None:
        code = (
            READS
            + """
own = os.path.dirname(os.environ["DATAHALL_OUTPUTS"])
names = ["spec.json", "started.json", "exit.json", "stop.json", "lock", "log", "shim.log"]
print(json.dumps([read(f"{own}/{name}") for name in names]))
"""
        )
        assert site.run(code) == ["ENOENT"] * 7

    def test_no_name_of_the_hosts_users_and_no_secret_on_a_command_line(self, site: Site) -> None:
        code = """
import json, os, pwd
lines = [open(f"/proc/{pid}/cmdline").read() for pid in os.listdir("/proc") if pid.isdecimal()]
print(json.dumps([[one.pw_name for one in pwd.getpwall()], os.environ["SECRET"], lines]))
"""
        users, secret, lines = site.run(code, env={"SECRET": "canary-4711"})

        assert users == ["root", "datahall", "nobody"]
        assert secret == "canary-4711"
        assert not any("canary-4711" in line for line in lines)

    def test_shared_folders_as_they_are_shared(self, site: Site) -> None:
        (site.shared / "data").write_text("here")

        assert site.run(READS, site.shared / "data") == ["read"]
        assert site.run(WRITES, site.shared / "data", site.shared) == ["EROFS"] * 2


class TestWhatCanBeWritten:
    def test_its_own_folders_and_nothing_else(self, site: Site) -> None:
        body = b"the bytes that everybody shares"
        ref = FileRef(path="data.bin", digest=site.plane.put(body), size=len(body))
        code = (
            WRITES
            + """
own = os.path.dirname(os.environ["DATAHALL_OUTPUTS"])
fetched = os.path.join(os.environ["DATAHALL_INPUTS"], "data", "data.bin")
def mode():
    try:
        os.chmod(fetched, 0o666)
        return "changed"
    except OSError as error:
        return errno.errorcode[error.errno]
mine = ["outputs", "checkpoints", "work", "told", "metrics.jsonl"]
print(json.dumps([
    [opens(f"{own}/{name}") for name in mine] + [opens(os.environ["HOME"]), opens("/tmp")],
    [opens(path) for path in (own, f"{own}/order.json", fetched)] + [mode()],
    [opens(path) for path in ("/", "/usr", "/usr/bin/env", "/etc", "/etc/passwd", "/dev", "/run",
                              "/var", *sys.argv[1:])],
]))
"""
        )
        outside = [sys.prefix, ROOT / "agents", isolation.__file__, json.__file__]
        inputs = [Input(name="data", files=[ref])]

        own, ours, everybodys = site.run(code, *outside, inputs=inputs)

        assert own == ["written"] * 7
        assert ours == ["EROFS", "EROFS", "EACCES", "EROFS"]  # an input has no bit for writing
        assert everybodys == ["EROFS"] * 12

    def test_none_of_the_kernels_switches(self, site: Site) -> None:
        """A process of the host's root may turn them without any capability."""
        switches = [
            *("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe"),
            *("/proc/sys/vm/overcommit_memory", "/proc/sys/net/ipv4/ip_forward"),
            *("/proc/sysrq-trigger", "/proc/mtrr", "/proc/pressure/memory"),
        ]
        there = [path for path in switches if Path(path).exists()]
        refused = {"EROFS", "EACCES"}  # the latter where the agent is not root

        assert set(site.run(WRITES, *there)) <= refused
        assert len(there) > 3

    def test_not_how_it_ended(self, site: Site) -> None:
        """A forged ``exit.json`` or ``stop.json`` would be a forged success."""
        code = """
import json, os
own = os.path.dirname(os.environ["DATAHALL_OUTPUTS"])
for name in ("exit.json", "stop.json", "started.json"):
    try:
        open(f"{own}/{name}", "w").write("{}")
    except OSError as error:
        print(name, error.strerror, flush=True)
raise SystemExit(3)
"""
        workload = site.start(code)

        report = site.ended(workload)

        assert (report.state, report.exit_code) == (S.FAILED, 3)
        assert site.plane.log(workload).count("Read-only file system") == 3

    def test_no_metrics_file_of_another_place(self, site: Site) -> None:
        code = """
import errno, json, os
metrics = os.environ["DATAHALL_METRICS_FILE"]
open(metrics, "a").write(json.dumps({"name": "loss", "value": 1}) + "\\n")
answers = []
for act in (os.unlink, lambda path: os.rename(path, path + ".moved")):
    try:
        act(metrics)
    except OSError as error:
        answers.append(errno.errorcode[error.errno])
print(json.dumps(answers))
"""
        assert set(site.run(code)) <= {"EBUSY", "EROFS"}


class TestL02OtherProcesses:
    CODE = """
import ctypes, errno, json, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
victims = [int(pid) for pid in sys.argv[1:]]
answers = []
for pid in victims:
    for attempt in (
        lambda: open(f"/proc/{pid}/environ", "rb").read(),
        lambda: open(f"/proc/{pid}/mem", "rb"),
        lambda: os.kill(pid, signal.SIGTERM),
        lambda: os.pidfd_open(pid),
    ):
        try:
            attempt()
            answers.append("reached")
        except OSError as error:
            answers.append(errno.errorcode[error.errno])
    ctypes.set_errno(0)
    libc.ptrace(16, pid, 0, 0)  # PTRACE_ATTACH
    answers.append(errno.errorcode.get(ctypes.get_errno(), "reached"))
seen = sorted(int(name) for name in os.listdir("/proc") if name.isdecimal())
print(json.dumps([answers, len(seen), max(seen) < 100]))
"""

    def test_l02_are_not_there(self, site: Site) -> None:
        other = site.start(WAITS, env={"SECRET": "canary"})
        site.says(other, "waiting")
        started = json.loads((site.workspace(other) / "started.json").read_text())
        assert site.agent.process
        victims = [started["payload"]["pid"], started["shim"]["pid"], site.agent.process.pid]

        answers, count, all_new = site.run(self.CODE, *victims)

        assert set(answers) <= {"ENOENT", "ESRCH"}
        assert (count, all_new) == (2, True)  # bubblewrap and the script itself
        assert is_alive(victims[0])
        site.plane.want_stop(other)
        site.ended(other)


class TestL04Terminal:
    def test_l04_nothing_is_typed_for_others(self, site: Site) -> None:
        code = """
import errno, fcntl, json, os, pty, termios
answers = []
def types_into(open_it):
    try:
        fcntl.ioctl(open_it(), termios.TIOCSTI, b"x")
        return "typed"
    except OSError as error:
        return errno.errorcode[error.errno]
answers.append(types_into(lambda: os.open("/dev/tty", os.O_RDWR)))
answers.append(types_into(lambda: pty.openpty()[1]))
print(json.dumps(answers))
"""
        assert site.run(code) == ["ENXIO", "EPERM"]  # no terminal of its own, and not even there


class TestL06Devices:
    def test_l06_only_leased_ones_are_there(
        self, boxed: Callable[..., "subprocess.Popen[bytes]"], tmp_path: Path
    ) -> None:
        """Device files of this test's own: none is put beside the host's."""
        leased, other = tmp_path / "nvidia0", tmp_path / "nvidia1"
        for path in (leased, other):
            if os.getuid() == 0:
                os.mknod(path, 0o666 | 0o020000, os.makedev(1, 5))  # what /dev/zero is
            else:
                path.write_bytes(b"\0")
        words = f"head -c 1 {leased} | od -An -tx1; cat {other}; ls {tmp_path} /dev"

        said = boxed(words, devices=(leased,)).communicate()[0].decode()

        assert said.split()[0] == "00"
        assert f"{other}: No such file" in said
        assert not {"nvidia1", "sda", "vda", "kvm", "mem", "fuse", "loop0"} & set(said.split())

    def test_l06_by_their_minor_number(self) -> None:
        def files(uuid: str, *, simulated: bool = False, **facts: Any) -> list[Path] | None:
            device = DeviceInfo(
                uuid=uuid, name="GPU", memory_bytes=1, index=0, simulated=simulated, facts=facts
            )
            return isolation.device_files(device, {})

        assert files("GPU-1", minor=3) == [Path("/dev/nvidia3")]
        assert files("SIM-1", simulated=True) == []
        assert files("GPU-2") is None  # no guess: it could be another's
        assert files("MIG-1", minor=3) is None  # nor a whole card in a slice's place

    def test_l06_a_slice_by_its_capabilities(self, tmp_path: Path) -> None:
        device = DeviceInfo(
            uuid="MIG-1",
            name="GPU slice",
            memory_bytes=1,
            index=0,
            facts={"minor": 1, "gpu_instance": 7, "compute_instance": 0},
        )
        of_slice = tmp_path / "gpu1" / "mig" / "gi7"
        (of_slice / "ci0").mkdir(parents=True)
        (of_slice / "access").write_text("DeviceFileMinor: 66\nDeviceFileMode: 292\n")
        assert isolation.device_files(device, {}, tmp_path) is None
        (of_slice / "ci0" / "access").write_text("DeviceFileMinor: 67\nDeviceFileMode: 292\n")

        assert isolation.device_files(device, {}, tmp_path) == [
            Path("/dev/nvidia1"),
            Path("/dev/nvidia-caps/nvidia-cap66"),
            Path("/dev/nvidia-caps/nvidia-cap67"),
        ]

    def test_l06_a_device_without_a_known_file_is_not_guessed(self, site: Site) -> None:
        body = b"print('never')"
        digest = site.plane.put(body)
        spec = WorkloadSpec(
            name="gpu",
            payload=ScriptSpec(
                code=FileRef(path="main.py", digest=digest, size=len(body)), entrypoint="main.py"
            ),
            resources=Resources(cpu_millis=1000, memory_bytes=2**28),
        )
        workload = site.plane.want(spec)
        site.plane.answer[workload] = StartAnswer(
            answer="yes",
            devices=["GPU-nobody-knows"],
            tickets=[Ticket(digest=digest, size=len(body), url=f"/transfer/{digest}")],
        )
        site.plane.tell_to_look()

        report = site.ended(workload)

        assert report.reason is not None
        assert report.reason.code == "device_file_unknown"


class TestL10Filling:
    @pytest.mark.parametrize("folder", ["/tmp", "/dev/shm"])
    def test_l10_ends_at_half_the_memory(self, site: Site, folder: str) -> None:
        code = """
import errno, json, sys
written = 0
try:
    with open(sys.argv[1] + "/full", "wb", buffering=0) as file:
        while True:
            written += file.write(bytes(1024 * 1024))
except OSError as error:
    print(json.dumps([written, errno.errorcode[error.errno]]))
"""
        written, why = site.run(code, folder, memory_bytes=256 * MIB)

        assert (written, why) == (128 * MIB, "ENOSPC")

    def test_l10_memory_is_what_was_asked_for_where_the_kernel_holds_it(self, site: Site) -> None:
        if limits.MEMORY not in limits.look_around().held:
            pytest.skip("control groups of memory are not ours to make here")
        workload = site.start(
            "hoard = [bytearray(1024 * 1024) for _ in range(1024)]; print(len(hoard))",
            memory_bytes=128 * MIB,
        )

        report = site.ended(workload)

        assert report.cause == Cause.OUT_OF_MEMORY


class TestL12Reach:
    def test_l12_no_socket_of_the_host(self, site: Site, tmp_path: Path) -> None:
        """F-14: Postgres, Valkey and the agent listen in folders that are not there."""
        with socket.socket(socket.AF_UNIX) as postgres:
            postgres.bind(str(tmp_path / ".s.PGSQL.5432"))
            postgres.listen()
            code = """
import errno, json, socket, sys
answers = []
for path in sys.argv[1:]:
    try:
        socket.socket(socket.AF_UNIX).connect(path)
        answers.append("reached")
    except OSError as error:
        answers.append(errno.errorcode[error.errno])
print(json.dumps(answers))
"""
            paths = [postgres.getsockname(), "/run/docker.sock", "/run/dbus/system_bus_socket"]
            assert site.run(code, *paths) == ["ENOENT"] * 3

    REACHES = """
import errno, json, socket, sys
answers = []
for host, port in (("127.0.0.1", int(sys.argv[1])), ("192.0.2.1", 80), ("169.254.169.254", 80)):
    with socket.socket() as there:
        there.settimeout(0.2)
        try:
            there.connect((host, port))
            answers.append("reached")
        except TimeoutError:
            answers.append("sent")
        except OSError as error:
            answers.append(errno.errorcode[error.errno])
own = socket.socket(); own.bind(("127.0.0.1", 0)); own.listen()
socket.create_connection(own.getsockname())
print(json.dumps([answers, [name for _, name in socket.if_nameindex()]]))
"""

    def test_l12_without_a_network_there_is_no_route(self, site: Site) -> None:
        answers, interfaces = site.run(self.REACHES, site.plane.port, network="none")

        assert answers == ["ECONNREFUSED", "ENETUNREACH", "ENETUNREACH"]
        assert interfaces == ["lo"]  # itself it does reach

    def test_l12_with_the_hosts_the_control_plane_is_reached(self, site: Site) -> None:
        answers, _ = site.run(self.REACHES, site.plane.port)

        assert answers[0] == "reached"


class TestL14Links:
    def test_l14_no_link_carries_a_file_out(self, site: Site) -> None:
        code = """
import json, os, sys
out = os.environ["DATAHALL_OUTPUTS"]
for number, target in enumerate(sys.argv[1:]):
    os.symlink(target, f"{out}/link-{number}")
os.symlink("/", f"{out}/root")
open(f"{out}/mine", "w").write("mine")
print("null")
"""
        targets = [site.agent.state.key_file, "/etc/shadow", "../../../node.key", "root/etc/passwd"]
        workload = site.start(code, *targets)

        report = site.ended(workload)

        assert report.state == S.SUCCEEDED
        assert [output.path for output in report.outputs] == ["mine"]
        wait_for(lambda: not site.workspace(workload).exists(), "the workspace to go")
        assert site.agent.state.key_file.exists()


class TestL16AfterTheEnd:
    def test_l16_a_miner_dies_with_its_job(self, site: Site) -> None:
        code = """
import os, subprocess, sys, time
mark = sys.argv[1]
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.environ.clear()
        os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)", mark])
    os._exit(0)
def digs(pid):
    words = open(f"/proc/{pid}/cmdline", "rb").read().split(b"\\0")
    return pid != os.getpid() and mark.encode() in words and b"-c" in words
while not any(digs(int(name)) for name in os.listdir("/proc") if name.isdecimal() and name != "1"):
    time.sleep(0.01)
print('"it digs"')
"""
        mark = f"miner-{os.getpid()}-{time.time_ns()}"

        assert site.run(code, mark) == "it digs"

        assert mark not in _command_lines()

    def test_l16_a_fork_bomb_stays_in_its_box(self, site: Site) -> None:
        if os.getuid() == 0 and limits.PROCESSES not in limits.look_around().held:
            pytest.skip("nobody counts the processes of root here")
        code = """
import json, os, signal
count = 0
try:
    while True:
        if os.fork() == 0:
            signal.pause()
        count += 1
except OSError as error:
    print(json.dumps(count))
"""
        most = isolation.most_processes(Resources(cpu_millis=1000, memory_bytes=0))

        count = site.run(code, memory_bytes=2**32)

        assert most - 10 < count < most
        assert site.run("print(1)") == 1  # nobody else has noticed


class TestEnds:
    """What a job's end means is the same in a box."""

    @pytest.mark.parametrize("code", [1, 3, 42, 255])
    def test_codes(self, site: Site, code: int) -> None:
        report = site.ended(site.start(f"raise SystemExit({code})"))

        assert report.exit_code == code

    def test_signals(self, site: Site) -> None:
        report = site.ended(site.start("import os; os.kill(os.getpid(), 11)"))

        assert report.exit_code == -11
        assert report.reason is not None
        assert report.reason.params["signal"] == "SIGSEGV"

    def test_a_stop_is_heard_and_has_its_grace(self, site: Site) -> None:
        code = """
import signal, sys, time
def end(*_):
    print("last words", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
while True:
    time.sleep(1)
"""
        workload = site.start(code)
        site.says(workload, "ready")
        site.plane.want_stop(workload, grace_seconds=60)

        report = site.ended(workload)

        assert (report.state, report.exit_code) == (S.STOPPED, 0)
        assert "last words" in site.plane.log(workload)

    def test_who_is_deaf_to_it_is_killed_after_it(self, site: Site) -> None:
        code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True)\n"
        workload = site.start(code + "while True: time.sleep(1)")
        site.says(workload, "deaf")
        site.plane.want_stop(workload, grace_seconds=0.2)

        report = site.ended(workload)

        assert (report.state, report.exit_code) == (S.STOPPED, -9)

    def test_a_killed_shim_takes_it_along(self, site: Site) -> None:
        mark = f"orphan-{time.time_ns()}"
        workload = site.start(WAITS, mark)
        site.says(workload, "waiting")
        started = json.loads((site.workspace(workload) / "started.json").read_text())

        os.kill(started["shim"]["pid"], 9)

        assert site.ended(workload).state == S.FAILED
        wait_for(lambda: mark not in _command_lines(), "the payload to be gone")

    def test_a_box_that_cannot_be_built_is_no_fault_of_the_script(self, site: Site) -> None:
        passwd = site.state / "isolation" / "passwd"
        passwd.rename(passwd.with_name("away"))
        try:
            report = site.ended(site.start("print('never')"))
        finally:
            passwd.with_name("away").rename(passwd)

        assert (report.state, report.cause) == (S.FAILED, Cause.ENVIRONMENT)
        assert report.reason is not None
        assert report.reason.code == "isolation_failed"
        assert "passwd" in report.reason.params["line"]

    def test_its_control_groups_go_with_it(self, site: Site) -> None:
        workload = site.start("print(1)")
        site.ended(workload)

        groups = [one.folder / f"datahall-{workload}" for one in limits.look_around().hierarchies]

        wait_for(lambda: not any(group.exists() for group in groups), "the groups to go")


class TestPrograms:
    def test_processes_that_share_memory(self, site: Site) -> None:
        code = """
import json, multiprocessing
from multiprocessing import shared_memory
def fill(name):
    there = shared_memory.SharedMemory(name)
    there.buf[:4] = b"told"
    there.close()
if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    here = shared_memory.SharedMemory(create=True, size=4096)
    child = context.Process(target=fill, args=(here.name,))
    child.start(); child.join()
    print(json.dumps([bytes(here.buf[:4]).decode(), context.Lock() is not None]))
    here.close(); here.unlink()
"""
        assert site.run(code) == ["told", True]

    def test_torch_in_a_gang_of_two(self, site: Site) -> None:
        code = """
import json, torch, torch.distributed as dist
dist.init_process_group("gloo")
mine = torch.ones(4) * (dist.get_rank() + 1)
dist.all_reduce(mine)
print(json.dumps(mine.tolist()), flush=True)
dist.destroy_process_group()
"""
        body = code.encode()
        digest = site.plane.put(body)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        ranks = []
        for rank in range(2):
            spec = WorkloadSpec(
                name="gang",
                payload=ScriptSpec(
                    code=FileRef(path="main.py", digest=digest, size=len(body)),
                    entrypoint="main.py",
                ),
                resources=Resources(cpu_millis=1000, memory_bytes=2**30),
                world_size=2,
            )
            workload = site.plane.want(spec)
            site.plane.answer[workload] = StartAnswer(
                answer="yes",
                project="default",
                tickets=[Ticket(digest=digest, size=len(body), url=f"/transfer/{digest}")],
                gang=GangPlace(rank=rank, world_size=2, master_addr="127.0.0.1", master_port=port),
            )
            ranks.append(workload)
        site.plane.tell_to_look()

        for workload in ranks:
            assert site.ended(workload).state == S.SUCCEEDED, site.plane.log(workload)
            assert json.loads(site.plane.log(workload).splitlines()[-1]) == [3.0] * 4


class TestChoice:
    def test_the_agent_says_what_it_has_chosen(self, site: Site) -> None:
        wait_for(lambda: site.plane.hellos, "a hello")

        told = site.plane.hellos[-1].inventory.isolation

        assert told is not None
        assert (told.profile, told.reason) == ("bwrap", None)
        assert told.limits == limits.look_around().held

    def test_a_demand_that_cannot_be_met_says_how_it_could(self, tmp_path: Path) -> None:
        plane = Double()
        plane.start()
        agent = Agent(tmp_path / "node", plane)
        agent.isolation = "bwrap"
        broken = tmp_path / "bwrap"
        broken.write_text("#!/bin/sh\necho 'No permissions to create new namespace' >&2; exit 1\n")
        broken.chmod(0o755)
        try:
            agent.start(env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
            assert agent.process is not None
            assert agent.process.wait(30) == 1
        finally:
            plane.stop()

        said = (tmp_path / "node" / "agent.log").read_text()

        assert "No permissions to create new namespace" in said
        assert "user.max_user_namespaces" in said

    def test_without_it_the_reason_is_kept(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shutil, "which", lambda *_, **__: None)

        chosen = isolation.choose(isolation.Wanted.AUTO, tmp_path)

        assert chosen.profile is isolation.Profile.NONE
        assert chosen.reason is not None
        assert chosen.reason.code == "isolation_not_installed"

    def test_turned_off_it_says_so(self, tmp_path: Path) -> None:
        chosen = isolation.choose(isolation.Wanted.NONE, tmp_path)

        assert chosen == Isolation(isolation.Profile.NONE, chosen.reason)
        assert chosen.reason is not None
        assert chosen.reason.code == "isolation_turned_off"

    def test_without_it_nothing_runs_that_is_to_have_no_network(self, tmp_path: Path) -> None:
        plane = Double()
        plane.start()
        agent = Agent(tmp_path / "node", plane)
        body = b"print('never')"
        spec = WorkloadSpec(
            name="alone",
            payload=ScriptSpec(
                code=FileRef(path="main.py", digest=plane.put(body), size=len(body)),
                entrypoint="main.py",
            ),
            resources=Resources(cpu_millis=1000, memory_bytes=2**28),
            network="none",
        )
        workload = plane.want(spec)
        agent.start()
        try:
            report = plane.final(workload)
        finally:
            agent.close()
            plane.stop()

        assert report.reason is not None
        assert report.reason.code == "network_needs_isolation"


class TestAnyUser:
    @pytest.fixture
    def as_nobody(
        self, host: isolation.Host, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[Callable[..., "subprocess.CompletedProcess[str]"]]:
        """Run words in a box as a user without rights."""
        if os.getuid() != 0 or shutil.which("setpriv") is None:
            pytest.skip("only root can become another user")
        folder = Path(tempfile.mkdtemp(dir="/tmp"))  # pytest's own are closed to others
        monkeypatch.setattr(isolation, "python_folders", list)  # ours may be below /root
        plain = isolation.look_around(host.bwrap, folder)
        here = Workspace(folder / "workspace")
        here.create()
        here.write("order.json", {})
        for path in (folder, *folder.rglob("*")):
            os.chown(path, 65534, 65534)

        def run(*words: str) -> "subprocess.CompletedProcess[str]":
            command = isolation.command(plain, Box(here.folder, 2**28), words)
            with isolation.opened(plain) as files:
                return subprocess.run(
                    ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command],
                    pass_fds=files,
                    capture_output=True,
                    text=True,
                    check=False,
                )

        yield run
        shutil.rmtree(folder)

    def test_it_works_without_rights(
        self, as_nobody: Callable[..., "subprocess.CompletedProcess[str]"]
    ) -> None:
        ran = as_nobody("/bin/sh", "-c", "id -u; touch /usr/x; echo done > out; cat out")

        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.split() == [str(isolation.UID), "done"]
        assert "Read-only file system" in ran.stderr

    def test_its_processes_are_counted_by_themselves(
        self, as_nobody: Callable[..., "subprocess.CompletedProcess[str]"]
    ) -> None:
        """Without control groups, by the limit that the runner sets."""
        python = "/usr/bin/python3"
        if not Path(python).exists():
            pytest.skip("there is no Python that everybody can run")
        code = """
import os, resource, signal
resource.setrlimit(resource.RLIMIT_NPROC, (60, 60))
count = 0
try:
    while True:
        if os.fork() == 0:
            signal.pause()
        count += 1
except BlockingIOError:
    print(count)
"""
        ran = as_nobody(python, "-I", "-c", code)

        assert 50 < int(ran.stdout) < 60, ran.stderr


class TestCommand:
    def test_is_the_same_for_the_same_box(self, host: isolation.Host, tmp_path: Path) -> None:
        box = Box(tmp_path, 2**30, network=False, devices=(Path("/dev/nvidia0"),))

        command = isolation.command(host, box, ["python"])

        assert command == isolation.command(host, box, ["python"])
        for word in ("--unshare-user", "--unshare-pid", "--unshare-net", "--die-with-parent"):
            assert word in command
        assert command[-2:] == ["--", "python"]
        assert str(shim.STATUS_FILE) in command

    def test_covers_a_state_folder_within_a_bound_one(self, tmp_path: Path) -> None:
        state = isolation.CODE / "state"

        words = list(isolation._system(tmp_path, state))

        assert words[words.index(str(state)) - 1] == "--tmpfs"


def _command_lines() -> str:
    lines = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(entry.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:  # gone since
            continue
    return "\n".join(lines)
