"""A fixed pool of threads that commit what nodes send, across nodes, and only then answer.

Each node belongs to one thread, so what it says is written in the order it said it. A thread
commits at once when it has been idle and at most every 50 ms otherwise. Its queue is bounded: a
link that finds it full waits, and meanwhile its socket is read no further.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Sequence

from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections
from django.db import connections as database
from django.utils import timezone

from apps.ingest import router
from apps.ingest.router import Entry

log = logging.getLogger(__name__)

THREADS = 2
PERIOD_SECONDS = 0.05
QUEUE_BYTES = 8 * 1024 * 1024  # of one thread, what it is committing included
BATCH_BYTES = 4 * 1024 * 1024
BATCH_FRAMES = 1000
CONFLICT_TRIES = 3
OVERHEAD_BYTES = 512  # of a frame in the queue, however little it says


class Stopped(Exception):
    """The process is ending; nothing is taken in any more."""


class Writers:
    """The pool. Threads start with it and end with ``stop``."""

    def __init__(self, threads: int = THREADS, *, queue_bytes: int = QUEUE_BYTES) -> None:
        self._lanes = [_Lane(number, queue_bytes) for number in range(threads)]
        for lane in self._lanes:
            lane.start()

    async def put(self, entry: Entry) -> None:
        """Queue a frame; waits while there is no room. Its link is answered once it is durable."""
        await self._lanes[entry.link.node_id.int % len(self._lanes)].put(entry)

    def stop(self) -> None:
        """Finish what is being committed; what only waits is dropped: the nodes still have it."""
        for lane in self._lanes:
            lane.ask_to_stop()
        for lane in self._lanes:
            lane.join()


class _Lane(threading.Thread):
    def __init__(self, number: int, queue_bytes: int) -> None:
        super().__init__(name=f"ingest-writer-{number}", daemon=True)
        self._most = queue_bytes
        self._condition = threading.Condition()
        self._queue: deque[Entry] = deque()
        self._bytes = 0
        self._waiting: deque[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = deque()
        self._stopping = False

    # --- from event loops ------------------------------------------------------------------------

    async def put(self, entry: Entry) -> None:
        loop = asyncio.get_running_loop()
        while True:
            with self._condition:
                if self._stopping:
                    raise Stopped
                if not self._bytes or self._bytes + _weight(entry) <= self._most:
                    self._queue.append(entry)
                    self._bytes += _weight(entry)
                    self._condition.notify()
                    return
                room = asyncio.Event()
                self._waiting.append((loop, room))
            await room.wait()

    def ask_to_stop(self) -> None:
        with self._condition:
            self._stopping = True
            self._condition.notify()

    # --- the thread ------------------------------------------------------------------------------

    def run(self) -> None:
        not_before = 0.0
        while (batch := self._take(not_before)) is not None:
            try:
                self._commit(batch)
            except Exception:
                log.exception("a batch could not be written; its nodes will send it again")
                _fail(batch)
            not_before = time.monotonic() + PERIOD_SECONDS
            self._make_room(sum(_weight(entry) for entry in batch))
        self._make_room(0)
        database.close_all()

    def _take(self, not_before: float) -> list[Entry] | None:
        """The next frames; None when it is time to end."""
        with self._condition:
            while not self._stopping:
                wait = not_before - time.monotonic()
                if self._queue and wait <= 0:
                    break
                self._condition.wait(wait if self._queue else None)
            if self._stopping:
                return None
            batch: list[Entry] = []
            room = BATCH_BYTES
            while self._queue and len(batch) < BATCH_FRAMES and (room > 0 or not batch):
                entry = self._queue.popleft()
                batch.append(entry)
                room -= _weight(entry)
            return batch

    def _make_room(self, freed: int) -> None:
        with self._condition:
            self._bytes -= freed
            woken, self._waiting = self._waiting, deque()
        for loop, room in woken:
            try:
                loop.call_soon_threadsafe(room.set)
            except RuntimeError:
                pass  # that loop has ended, and the link with it

    def _commit(self, batch: Sequence[Entry]) -> None:
        close_old_connections()
        try:
            _write(batch)
        except Exception as error:  # noqa: BLE001  # whatever it is, one item brought it
            if _is_outage(error):
                self._give_up(batch, error)
                return
            log.warning("a batch is written item by item: %s", error)
            self._commit_one_by_one(batch)

    def _commit_one_by_one(self, batch: Sequence[Entry]) -> None:
        """Something in the batch cannot be written: find it and leave only that out."""
        items = [Entry(entry.link, [item], 0) for entry in batch for item in entry.items]
        for number, single in enumerate(items):
            try:
                try:
                    _write([single])
                except Exception as error:
                    if _is_outage(error):
                        raise
                    log.exception("an item of node %s is left out", single.link.node_id)
                    single.link.answer(router.skip(single, at=timezone.now()))
            except Exception as error:
                if _is_outage(error):
                    self._give_up(items[number:], error)
                    return
                log.exception("an item of node %s cannot even be left out", single.link.node_id)
                single.link.fail()

    def _give_up(self, batch: Sequence[Entry], error: Exception) -> None:
        """The database is away: keep nothing. The nodes have it all and will come again."""
        log.warning("nothing can be written, nodes are told to come again: %s", error)
        database.close_all()
        with self._condition:
            queued, self._queue = list(self._queue), deque()
            self._bytes -= sum(_weight(entry) for entry in queued)
        _fail([*batch, *queued])


def _write(batch: Sequence[Entry]) -> None:
    """Write and answer; what fails because somebody else was quicker is tried again."""
    for tries_left in reversed(range(CONFLICT_TRIES)):
        try:
            answers = router.write(batch, at=timezone.now())
        except OperationalError as error:
            if tries_left and _state_of(error).startswith("40"):  # deadlock, serialisation
                continue
            raise
        for link, answer in answers.items():
            link.answer(answer)
        return


def _fail(batch: Sequence[Entry]) -> None:
    for link in {entry.link for entry in batch}:
        link.fail()


def _is_outage(error: Exception) -> bool:
    """Whether the database is away, full or stopping, so that no other item would fare better."""
    return isinstance(error, OperationalError | InterfaceError) or (
        isinstance(error, DatabaseError) and _state_of(error)[:2] in {"08", "53", "57", "58"}
    )


def _state_of(error: Exception) -> str:
    return getattr(error.__cause__, "sqlstate", None) or ""


def _weight(entry: Entry) -> int:
    return entry.size + OVERHEAD_BYTES


# --- this process's pool -------------------------------------------------------------------------

_pool: Writers | None = None


def pool() -> Writers:
    """The process's writers, started with the first link."""
    global _pool
    if _pool is None:
        _pool = Writers()
    return _pool


async def stop() -> None:
    """End the process's writers, if there are any."""
    global _pool
    if _pool is not None:
        ending, _pool = _pool, None
        await asyncio.to_thread(ending.stop)
