"""Why a payload ended badly, in a code, and whose doing it was."""

import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agents.protocol.base import Reason
from agents.protocol.workloads import Cause

MAX_LINE = 300
MAX_CODE = 100
MAX_PARAMS = 20
TAIL_BYTES = 16 * 1024

ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
DEVICE_MEMORY = re.compile(r"cuda out of memory|torch\.(cuda\.)?OutOfMemoryError", re.IGNORECASE)
HOST_MEMORY = re.compile(r"^(\w+\.)*_?(Array)?MemoryError\b|DefaultCPUAllocator: can't allocate")


class Failed(Exception):
    """A workload ends here, for a reason."""

    def __init__(self, code: str, /, *, cause: Cause = Cause.ENVIRONMENT, **params: Any) -> None:
        super().__init__(code, params)
        self.reason = Reason(code=code, params=params)
        self.cause = cause


@dataclass(frozen=True)
class Exit:
    """How a payload ended, as its shim wrote it down."""

    exit_code: int  # negative: a signal
    stop_cause: Cause | None = None
    oom_kills: int = 0
    log_bytes: int = 0
    dropped_log_bytes: int = 0
    dropped_tail: str = ""
    box_failed: bool = False  # the payload never ran: its box could not be built


def sort(ended: Exit, tail: bytes, failure: Mapping[str, Any] | None) -> Failed | None:
    """What went wrong, or None. ``failure`` is what the runner said itself: it knows best."""
    if ended.stop_cause is Cause.INTERRUPTED:
        return Failed("installation_stopped", cause=Cause.INTERRUPTED)
    if ended.exit_code == 0:
        return None
    if told := _as_told(failure or {}):
        return told
    text = tail.decode("utf-8", "replace")
    line = last_line(text)
    if ended.box_failed:
        return Failed("isolation_failed", line=line)
    if DEVICE_MEMORY.search(text[-4096:]):
        return Failed("device_out_of_memory", cause=Cause.OUT_OF_MEMORY, line=line)
    if HOST_MEMORY.search(line):
        return Failed("out_of_memory", cause=Cause.OUT_OF_MEMORY, line=line)
    number = _signal_of(ended.exit_code)
    if number is None:
        return Failed("exited", cause=Cause.USER_CODE, exit_code=ended.exit_code, line=line)
    if number == signal.SIGKILL and ended.oom_kills:
        return Failed("out_of_memory", cause=Cause.OUT_OF_MEMORY, line=line)
    return Failed("killed_by_signal", cause=Cause.USER_CODE, signal=_name(number), line=line)


def last_line(text: str) -> str:
    """The last line that says something, without colours."""
    for line in reversed(text.splitlines()):
        plain = ESCAPES.sub("", line).replace("\0", "").strip()
        if plain:
            return plain if len(plain) <= MAX_LINE else plain[: MAX_LINE - 1] + "…"
    return ""


def _as_told(failure: Mapping[str, Any]) -> Failed | None:
    """A runner's word, if it can be read: the file lies where a payload may write."""
    code, params, cause = failure.get("code"), failure.get("params"), failure.get("cause")
    if not isinstance(code, str) or cause not in set(Cause) or not isinstance(params, dict):
        return None
    failed = Failed(code[:MAX_CODE], cause=Cause(cause))
    shown = {name[:MAX_CODE]: _short(params[name]) for name in list(params)[:MAX_PARAMS]}
    failed.reason = Reason(code=code[:MAX_CODE], params=shown)
    return failed


def _short(value: Any) -> Any:
    return value if isinstance(value, bool | int | float) else str(value)[:MAX_LINE]


def _signal_of(exit_code: int) -> int | None:
    """Shells tell of a signal as 128 + its number."""
    if exit_code < 0:
        return -exit_code
    if exit_code > 128 and exit_code - 128 in {s.value for s in signal.Signals}:
        return exit_code - 128
    return None


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
