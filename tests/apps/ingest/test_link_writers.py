"""The pool of writer threads, with the database's part played by the test."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

import pytest
from django.db import DataError, OperationalError
from psycopg import errors

from agents.protocol.link import Heartbeat
from apps.ingest import router, writers
from apps.ingest.router import Answer, Entry
from apps.ingest.writers import Stopped, Writers


class FakeLink:
    skew = 0.0

    def __init__(self, node_id: UUID) -> None:
        self.node_id = node_id
        self.answers: list[Answer] = []
        self.failed = threading.Event()
        self.answered = threading.Event()

    def answer(self, answer: Answer) -> None:
        self.answers.append(answer)
        self.answered.set()

    def fail(self) -> None:
        self.failed.set()


class Database:
    """What was written in which batch; may be told to hold, or to break."""

    def __init__(self) -> None:
        self.batches: list[list[float]] = []
        self.free = threading.Event()
        self.free.set()
        self.entered = threading.Event()
        self.broken: dict[float, Exception] = {}

    def write(self, entries, *, at):
        self.entered.set()
        assert self.free.wait(10)
        said = [item.sent_at for entry in entries for item in entry.items]
        for number in said:
            if number in self.broken:
                raise self.broken[number]
        self.batches.append(said)
        return {entry.link: Answer(reports_through=int(said[-1])) for entry in entries}

    def skip(self, entry, *, at):
        return Answer(reports_through=-1)

    @property
    def written(self) -> list[float]:
        return [number for batch in self.batches for number in batch]


@pytest.fixture
def database(monkeypatch) -> Database:
    made = Database()
    monkeypatch.setattr(router, "write", made.write)
    monkeypatch.setattr(router, "skip", made.skip)
    monkeypatch.setattr(writers, "close_old_connections", lambda: None)
    return made


@contextmanager
def pool(threads: int = 2, **options: int) -> Iterator[Writers]:
    made = Writers(threads, **options)
    try:
        yield made
    finally:
        made.stop()


def frame(link: FakeLink, *numbers: float, size: int = 100) -> Entry:
    return Entry(link, [Heartbeat(sent_at=number) for number in numbers], size)


async def until(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 10), "it never came to pass"


class TestWriters:
    async def test_answer_once_it_is_written(self, database):
        link = FakeLink(uuid4())
        with pool() as some:
            database.free.clear()
            await some.put(frame(link, 1))
            await until(database.entered)
            assert link.answers == []

            database.free.set()

            await until(link.answered)
        assert database.written == [1]

    async def test_write_across_nodes_at_once_and_each_node_in_order(self, database):
        links = [FakeLink(UUID(int=number * 2)) for number in range(3)]
        with pool() as some:
            database.free.clear()
            await some.put(frame(links[0], 0))
            await until(database.entered)
            for number in range(1, 30):
                await some.put(frame(links[number % 3], number))
            database.free.set()
            await until(links[2].answered)
        assert len(database.batches) == 2
        assert database.written == list(range(30))

    async def test_leave_out_only_what_cannot_be_written(self, database):
        good, bad = FakeLink(UUID(int=2)), FakeLink(UUID(int=4))
        database.broken[2.0] = DataError("no")
        with pool() as some:
            database.free.clear()
            await some.put(frame(good, 0))
            await until(database.entered)
            await some.put(frame(good, 1))
            await some.put(frame(bad, 2, 3))
            database.free.set()
            await until(bad.answered)
        assert database.written == [0, 1, 3]
        assert bad.answers[0].reports_through == -1
        assert not good.failed.is_set()

    async def test_keep_nothing_while_the_database_is_away(self, database):
        writing, queued = FakeLink(UUID(int=2)), FakeLink(UUID(int=4))
        database.broken[1.0] = OperationalError("gone")
        with pool() as some:
            database.free.clear()
            await some.put(frame(writing, 1))
            await until(database.entered)
            await some.put(frame(queued, 2))
            database.free.set()
            await until(writing.failed)
            await until(queued.failed)

            await some.put(frame(queued, 3))
            await until(queued.answered)
        assert database.written == [3]
        assert some._lanes[0]._bytes == 0

    async def test_try_again_what_lost_against_somebody_else(self, database, monkeypatch):
        link = FakeLink(UUID(int=2))
        lost = OperationalError("deadlock")
        lost.__cause__ = errors.DeadlockDetected()
        tries = []

        def write(entries, *, at):
            tries.append(1)
            if len(tries) < 3:
                raise lost
            return {link: Answer()}

        monkeypatch.setattr(router, "write", write)
        with pool() as some:
            await some.put(frame(link, 1))
            await until(link.answered)
        assert (len(tries), link.failed.is_set()) == (3, False)

    async def test_make_whoever_finds_the_queue_full_wait(self, database):
        link = FakeLink(UUID(int=2))
        with pool(queue_bytes=2000) as some:
            database.free.clear()
            await some.put(frame(link, 1, size=1000))
            await until(database.entered)
            waiting = asyncio.create_task(some.put(frame(link, 2, size=1000)))
            for _ in range(10):
                await asyncio.sleep(0)
            assert not waiting.done()

            database.free.set()

            async with asyncio.timeout(10):
                await waiting
                while database.written != [1, 2]:
                    await asyncio.sleep(0.005)

    async def test_stop_and_take_no_more(self, database):
        before = threading.active_count()
        some = Writers(3)
        some.stop()

        assert threading.active_count() <= before
        with pytest.raises(Stopped):
            await some.put(frame(FakeLink(uuid4()), 1))
