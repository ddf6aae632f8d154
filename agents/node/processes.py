"""Processes that are not our children: waiting for one, and ending what one left behind."""

import asyncio
import logging
import os
import signal
from contextlib import suppress
from pathlib import Path

from agents.node.workspace import Process

log = logging.getLogger(__name__)


async def gone(process: Process) -> None:
    """Until a process has ended, whoever its parent is."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        if not process.is_alive():  # the id belongs to another one by now
            return
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(handle, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(handle)
    finally:
        os.close(handle)


def end_strays(metrics_file: Path) -> int:
    """Kill what a dead shim could not: processes that still carry this workload's environment."""
    mark = f"DATAHALL_METRICS_FILE={metrics_file}".encode()
    killed = 0
    for entry in os.scandir("/proc"):
        if not entry.name.isdecimal():
            continue
        with suppress(OSError):  # gone since, or not ours to look at
            handle = os.pidfd_open(int(entry.name))
            try:
                if mark in Path(entry.path, "environ").read_bytes().split(b"\0"):
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                    killed += 1
            finally:
                os.close(handle)
    if killed:
        log.warning("killed %d processes that had outlived their shim", killed)
    return killed
