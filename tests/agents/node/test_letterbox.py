"""A real worker, on the tests' real broker, as the user that the control plane makes for a node."""

import asyncio
import hashlib
import json
import os
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
import redis
from celery import Celery

from agents.node import letterbox, letterbox_worker
from agents.node.letterbox import Letterbox
from agents.node.letterbox_worker import Access
from agents.protocol.envelope import MAX_BYTES, TASK_NAME, queue_of
from agents.protocol.rest import BrokerAccess
from apps.fleet.broker import Users, user_of

POISON = [
    b"5",
    b"not json",
    b'"text"',
    b"{}",
    b"null",
    b"[1, 2",
    json.dumps({"body": "!!!", "headers": None, "properties": {}}).encode(),
    json.dumps({"body": "NQ==", "content-type": "application/x-python-serialize"}).encode(),
    b"\xff\xfe\x00",
    b"[" * 100_000,
]


class Box:
    """A letterbox at work, and the other end of its queue."""

    def __init__(self, node: UUID, access: BrokerAccess) -> None:
        self.node = node
        self.admin = redis.Redis.from_url(os.environ["REDIS_URL"])
        self.taken: asyncio.Queue[str] = asyncio.Queue()
        self.sender = Celery("control", broker=os.environ["REDIS_URL"], set_as_current=False)
        self.task = asyncio.create_task(Letterbox(node, access, self._take).run())

    async def _take(self, text: str) -> None:
        await self.taken.put(text)

    async def send(self, *args: object, task: str = TASK_NAME, **more: object) -> None:
        await asyncio.to_thread(
            self.sender.send_task, task, args=args, queue=queue_of(self.node), **more
        )

    def push(self, raw: bytes) -> None:
        self.admin.lpush(queue_of(self.node), raw)

    async def next(self) -> str:
        return await asyncio.wait_for(self.taken.get(), 30)

    async def close(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task
        self.sender.close()
        self.admin.close()


@pytest.fixture
async def box() -> AsyncIterator[Box]:
    node, password = uuid4(), secrets.token_hex()
    broker = os.environ["REDIS_URL"]
    await asyncio.to_thread(
        Users().keep_true, broker, {node: hashlib.sha256(password.encode()).hexdigest()}
    )
    parts = urlsplit(broker)
    url = f"redis://{parts.hostname}:{parts.port}{parts.path}"
    one = Box(node, BrokerAccess(url=url, username=user_of(node), password=password))
    yield one
    await one.close()


def worker_of(box: Box) -> int:
    """The worker's process, a child of ours."""
    for child in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
        for pid in child.read_text().split():
            if b"letterbox_worker.py" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return int(pid)
    raise AssertionError("no worker")


async def kill_worker(box: Box) -> None:
    """Kill it, and wait until the broker knows: what it hands to a dead reader before that is lost,
    and comes by the node's own pulling."""
    of_worker = {c["id"] for c in box.admin.client_list() if c["user"] == user_of(box.node)}
    os.kill(worker_of(box), 9)
    async with asyncio.timeout(10):
        while of_worker & {client["id"] for client in box.admin.client_list()}:
            await asyncio.sleep(0.01)


class TestTheWorker:
    def test_has_one_task(self) -> None:
        access = Access(uuid4(), BrokerAccess(url="redis://host/0", username="u", password="p"))
        ours, theirs = socket.socketpair()

        with ours, theirs:
            app = letterbox_worker.letterbox(access, ours)
            app.finalize()

        assert list(app.tasks) == [TASK_NAME]


class TestLetterbox:
    async def test_hands_over_what_is_on_the_queue(self, box: Box) -> None:
        await box.send("an envelope")
        await box.send("another")

        assert {await box.next(), await box.next()} == {"an envelope", "another"}

    async def test_garbage_is_thrown_away_and_the_next_order_comes(self, box: Box) -> None:
        await box.send("before")
        assert await box.next() == "before"
        worker = worker_of(box)

        for raw in POISON:
            box.push(raw)
        await box.send("after")

        assert await box.next() == "after"
        assert worker_of(box) == worker

    @pytest.mark.parametrize(
        "send",
        [
            lambda box: box.send(["a", "list"]),
            lambda box: box.send(7),
            lambda box: box.send(""),
            lambda box: box.send("x" * (MAX_BYTES + 1)),
            lambda box: box.send("one", "too many"),
            lambda box: box.send("x", task="celery.chain"),
            lambda box: box.send("x", task="os.system"),
        ],
    )
    async def test_only_one_task_with_one_string_gets_through(
        self, box: Box, send: Callable[[Box], Awaitable[None]]
    ) -> None:
        await send(box)
        await box.send("good")

        assert await box.next() == "good"
        assert box.taken.empty()

    async def test_a_worker_that_died_is_replaced(self, box: Box) -> None:
        await box.send("before")
        await box.next()

        await kill_worker(box)
        await box.send("after")

        assert await box.next() == "after"

    async def test_two_deaths_in_a_minute_empty_the_queue(
        self, box: Box, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await box.send("before")
        await box.next()
        emptied = asyncio.Event()
        loop = asyncio.get_running_loop()
        original = Letterbox._empty

        def empty(self: Letterbox) -> None:
            box.push(b"whatever kills it")
            original(self)
            assert box.admin.llen(queue_of(box.node)) == 0
            loop.call_soon_threadsafe(emptied.set)

        monkeypatch.setattr(Letterbox, "_empty", empty)
        await kill_worker(box)
        await box.send("between")
        await box.next()

        await kill_worker(box)

        await asyncio.wait_for(emptied.wait(), 30)
        await box.send("after")
        assert await box.next() == "after"

    async def test_knows_the_keys_of_its_queue(self, box: Box) -> None:
        await box.send("x", priority=9)
        await box.next()

        keys = {
            key.decode()
            for key in box.admin.keys(f"node.{box.node}:*")  # nothing of it is left out
        }

        assert keys <= set(letterbox.keys_of(box.node))
