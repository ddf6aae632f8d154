"""The daemon's side of the letterbox: keeps the Celery worker alive and takes what it hands over.

The two talk through a pair of sockets that nobody else can open, so there is no path to guard. The
worker may die of anything the broker feeds it; it decides nothing. After two deaths in a minute the
queue is emptied: the pull brings what was in it.
"""

import asyncio
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import msgspec
import redis

from agents.protocol.envelope import MAX_BYTES, queue_of
from agents.protocol.rest import BrokerAccess

log = logging.getLogger(__name__)

WORKER = Path(__file__).with_name("letterbox_worker.py")
DEATHS_SECONDS = 60.0
SHORTEST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
END_SECONDS = 5.0

UNACKNOWLEDGED = {  # Celery's option -> the key's name below the node's own prefix
    "unacked_key": "unacked",
    "unacked_index_key": "unacked_index",
    "unacked_mutex_key": "unacked_mutex",
}


class Letterbox:
    """Hands every string that reaches this node's queue to ``take``."""

    def __init__(
        self, node: UUID, broker: BrokerAccess, take: Callable[[str], Awaitable[None]]
    ) -> None:
        self._node = node
        self._broker = broker
        self._take = take

    async def run(self) -> None:
        pause = SHORTEST_PAUSE_SECONDS
        died_at = float("-inf")
        while True:
            began = time.monotonic()
            await self._serve()
            now = time.monotonic()
            log.warning("the letterbox worker ended after %.0f s", now - began)
            if now - began > DEATHS_SECONDS:
                pause = SHORTEST_PAUSE_SECONDS
            if now - died_at < DEATHS_SECONDS:
                await asyncio.to_thread(self._empty)
            died_at = now
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _serve(self) -> None:
        """One worker, from its start to its end."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            ours.setblocking(False)
            with theirs:
                worker = await asyncio.to_thread(self._start, theirs)
            try:
                loop = asyncio.get_running_loop()
                while text := await loop.sock_recv(ours, MAX_BYTES + 1):
                    await self._take(text.decode("utf-8", "replace"))
            finally:
                await asyncio.shield(asyncio.to_thread(_end, worker))

    def _start(self, theirs: socket.socket) -> "subprocess.Popen[bytes]":
        worker = subprocess.Popen(
            [sys.executable, "-I", str(WORKER), str(theirs.fileno())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,  # it greets and takes its leave there; its log is on stderr
            env={"PATH": os.defpath, "LANG": "C.UTF-8"},
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        assert worker.stdin is not None
        # by pipe, since a command line can be read by everybody on the host
        worker.stdin.write(msgspec.json.encode({"node": self._node, "broker": self._broker}))
        worker.stdin.close()
        return worker

    def _empty(self) -> None:
        """Throw the queue away, with what a dead worker left unacknowledged."""
        log.warning("the letterbox died twice in a minute: emptying its queue")
        broker = self._broker
        try:
            with redis.Redis.from_url(
                broker.url,
                username=broker.username,
                password=broker.password,
                socket_timeout=10,
            ) as connection:
                connection.delete(*keys_of(self._node))
        except redis.RedisError as error:
            log.warning("the queue cannot be emptied: %s", error)


def keys_of(node: UUID) -> list[str]:
    """Every key that holds messages of this node's queue."""
    queue = queue_of(node)
    levels = [queue, *(f"{queue}\x06\x16{level}" for level in (3, 6, 9))]
    return [*levels, *(f"node.{node}:{rest}" for rest in UNACKNOWLEDGED.values())]


def _end(worker: "subprocess.Popen[bytes]") -> None:
    worker.terminate()
    try:
        worker.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
