"""The model on its thread, and the calls that wait for it."""

import asyncio
import logging
import queue
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol

import torch

from agents.protocol.calls import TENSORS, Answer, Call
from agents.protocol.workloads import Cause
from agents.runners.failure import Failure
from agents.runners.predictor import Predictor, RefusedCall, Rows

log = logging.getLogger(__name__)

EVERY_SIZE_UP_TO = 64  # rows; of larger batches only powers of two are warmed up
TIMED = 3  # times; the quickest counts
ENOUGH = 1.05  # of the best time per row
SMALL_PICTURE_BYTES = 64 * 1024  # such are decoded one after the other, a larger one alone


class Outbox(Protocol):
    """Where the answers of one connection go; used on the loop's thread only."""

    closed: bool  # nobody waits for these answers any more

    def put(self, answers: list[Answer]) -> None: ...


class Taken:
    """One call whose numbers are known."""

    __slots__ = ("at", "id", "numbers", "outbox", "rows")

    def __init__(self, outbox: Outbox, id_: int, numbers: Rows, at: float) -> None:
        self.outbox = outbox
        self.id = id_
        self.numbers = numbers
        self.rows = len(numbers)
        self.at = at


class Engine:
    """Takes calls on the loop's thread, computes them on its own. Every call gets one answer.

    Each counter is written by one thread alone; the other only reads it.
    """

    def __init__(
        self, predictor: Predictor, *, max_batch: int, max_queue: int, decoders: int = 1
    ) -> None:
        self.max_batch = max_batch
        self.max_queue = max_queue
        self.best_batch = max_batch
        self.answered = 0
        self.batches = 0
        self._predictor = predictor
        self._queue: queue.SimpleQueue[list[Taken] | None] = queue.SimpleQueue()
        self._decoders = ThreadPoolExecutor(decoders, thread_name_prefix="decoder")
        self._draining = False
        self._taken = 0  # on the loop's thread
        self._dropped = 0  # on the loop's thread: taken, and refused before they reached the model
        self._begun = 0  # on the model's thread
        self._idle = asyncio.Event()  # set while nothing taken is unanswered
        self._idle.set()
        self._warm = asyncio.Event()
        self._broken: BaseException | None = None

    @contextmanager
    def running(self, *, on_broken: Callable[[], object]) -> Iterator[None]:
        """The model's thread works while inside; leaving waits for what it has begun."""
        self._loop = asyncio.get_running_loop()
        thread = threading.Thread(target=self._work, args=(on_broken,), name="model")
        thread.start()
        try:
            yield
        finally:
            self._queue.put(None)
            thread.join()
            self._decoders.shutdown(cancel_futures=True)

    async def until_warm(self) -> None:
        """Until every batch size there will be was computed once; raises what went wrong."""
        await self._warm.wait()
        self.raise_if_broken()

    def take(self, calls: Sequence[Call], outbox: Outbox) -> None:
        """Calls of one message. What cannot be taken is answered at once."""
        at = time.perf_counter()
        room = self.max_queue - (self._taken - self._dropped - self._begun)
        decode = self._predictor.decode
        ready: list[Taken] = []
        pictures: list[Call] = []
        refused: list[Answer] = []
        for call in calls:
            if self._draining:
                refused.append(Answer(call.id, 503, code="draining"))
            elif room <= 0:
                params = {"most": self.max_queue}
                refused.append(Answer(call.id, 503, code="queue_full", params=params))
            elif call.rows > self.max_batch:
                params = {"rows": call.rows, "most": self.max_batch}
                refused.append(Answer(call.id, 422, code="rows_too_many", params=params))
            elif call.kind != TENSORS:
                pictures.append(call)
                room -= 1
            else:
                try:
                    ready.append(Taken(outbox, call.id, decode(TENSORS, call.body, call.rows), at))
                    room -= 1
                except RefusedCall as refusal:
                    refused.append(_refusal(call.id, refusal))
        self._taken += len(ready) + len(pictures)
        if ready or pictures:
            self._idle.clear()
        if ready:
            self._queue.put(ready)  # all at once: the model finds them together
        for group in _by_size(pictures):
            self._decoders.submit(self._decode, group, outbox, at)
        if refused:
            outbox.put(refused)

    def drain(self) -> None:
        """Take nothing more."""
        self._draining = True

    async def until_idle(self) -> None:
        """Until every call that was taken has its answer in its outbox."""
        await self._idle.wait()

    def raise_if_broken(self) -> None:
        """Raises what ended the model's thread, if anything did."""
        if isinstance(self._broken, torch.AcceleratorError):
            why = str(self._broken).splitlines()[0]
            raise Failure("device_failed", cause=Cause.HARDWARE, why=why) from self._broken
        if self._broken is not None:
            raise self._broken

    # --- on the loop's thread ---------------------------------------------------------------------

    def _deliver(self, answers: dict[Outbox, list[Answer]], dropped: int = 0) -> None:
        self._dropped += dropped
        for outbox, some in answers.items():
            self.answered += len(some)
            outbox.put(some)
        if self.answered == self._taken:
            self._idle.set()

    def _give_up(self, on_broken: Callable[[], object]) -> None:
        """What is not answered by now is lost with the connections: their owners ask elsewhere."""
        self._draining = True
        self._idle.set()
        self._warm.set()
        on_broken()

    # --- on a decoder's thread --------------------------------------------------------------------

    def _decode(self, calls: list[Call], outbox: Outbox, at: float) -> None:
        ready: list[Taken] = []
        refused: list[Answer] = []
        for call in calls:
            try:
                numbers = self._predictor.decode(call.kind, call.body, call.rows)
                ready.append(Taken(outbox, call.id, numbers, at))
            except RefusedCall as refusal:
                refused.append(_refusal(call.id, refusal))
            except Exception:
                log.exception("a picture (%s, %d bytes)", call.kind[:100], len(call.body))
                refused.append(Answer(call.id, 500, code="prediction_failed"))
        if ready:
            self._queue.put(ready)
        if refused:
            self._tell({outbox: refused}, len(refused))

    # --- on the model's thread --------------------------------------------------------------------

    def _work(self, on_broken: Callable[[], object]) -> None:
        try:
            self._warm_up()
            self._loop.call_soon_threadsafe(self._warm.set)
            for group in self._groups():
                self._answer(group)
        except BaseException as error:  # noqa: BLE001 - kept, and raised where the process ends
            self._broken = error
            self._loop.call_soon_threadsafe(self._give_up, on_broken)

    def _warm_up(self) -> None:
        """Compute every size there will be; then find the size beyond which nothing is gained.

        On a GPU that is usually the largest. A CPU computes sixteen rows as fast as four times
        sixteen takes four times as long, and sixteen at a time are answered sooner.
        """
        for rows in self._sizes():
            self._time(rows)
        powers = [2**n for n in range(self.max_batch.bit_length())]
        paces = {rows: min(self._time(rows) for _ in range(TIMED)) / rows for rows in powers}
        enough = min(paces.values()) * ENOUGH
        self.best_batch = next(rows for rows in powers if paces[rows] <= enough)
        if self.best_batch == powers[-1]:
            self.best_batch = self.max_batch

    def _time(self, rows: int) -> float:
        began = time.perf_counter()
        self._compute([self._predictor.blank(rows)])
        return time.perf_counter() - began

    def _groups(self) -> Iterator[list[Taken]]:
        """Whatever waits, as many rows as a batch is to have; ends when told to."""
        waiting: deque[Taken] = deque()
        ending = False
        while waiting or not ending:
            try:
                while not ending:
                    more = self._queue.get(block=not waiting)
                    ending = more is None
                    waiting.extend(more or ())
            except queue.Empty:
                pass
            group: list[Taken] = []
            rows = 0
            while waiting and (not group or rows + waiting[0].rows <= self.best_batch):
                one = waiting.popleft()
                group.append(one)
                rows += one.rows
            if group:
                yield group

    def _answer(self, group: list[Taken]) -> None:
        """Compute a group; if that fails, each call alone, so that one spoils no other."""
        self._begun += len(group)
        answers: dict[Outbox, list[Answer]] = defaultdict(list)
        wanted = []
        for one in group:
            if one.outbox.closed:
                answers[one.outbox].append(Answer(one.id, 499))  # counted, and sent to nobody
            else:
                wanted.append(one)
        if wanted:
            try:
                self._compute_answers(wanted, answers)
            except Exception as error:
                _raise_if_beyond_repair(error)
                log.exception("a batch of %d calls failed", len(wanted))
                for one in wanted:
                    self._answer_alone(one, answers)
        self._tell(answers)

    def _answer_alone(self, one: Taken, answers: dict[Outbox, list[Answer]]) -> None:
        try:
            self._compute_answers([one], answers)
        except Exception as error:
            _raise_if_beyond_repair(error)
            log.exception("a call failed")
            answers[one.outbox].append(Answer(one.id, 500, code="prediction_failed"))

    def _compute_answers(self, group: list[Taken], answers: dict[Outbox, list[Answer]]) -> None:
        began = time.perf_counter()
        encoded = self._compute([one.numbers for one in group])
        self.batches += 1
        computed_us = int((time.perf_counter() - began) * 1e6)
        at, batch = 0, len(encoded)
        for one in group:
            status, body, code, params = _joined(encoded[at : at + one.rows])
            at += one.rows
            queued_us = int((began - one.at) * 1e6)
            answers[one.outbox].append(
                Answer(one.id, status, body, code, params, queued_us, computed_us, batch)
            )

    def _compute(self, calls: Sequence[Rows]) -> list[bytes | RefusedCall]:
        predictor = self._predictor
        return predictor.encode(predictor.predict(predictor.batch(calls)))

    # --- on any thread ----------------------------------------------------------------------------

    def _tell(self, answers: dict[Outbox, list[Answer]], dropped: int = 0) -> None:
        self._loop.call_soon_threadsafe(self._deliver, answers, dropped)

    def _sizes(self) -> list[int]:
        """Largest first, so that memory is asked for once."""
        powers = {2**n for n in range(self.max_batch.bit_length())}
        few = set(range(1, min(self.max_batch, EVERY_SIZE_UP_TO) + 1))
        return sorted(powers | few | {self.max_batch}, reverse=True)


def _joined(rows: list[bytes | RefusedCall]) -> tuple[int, bytes, str, dict[str, object]]:
    """Status, body, code and parameters of the answer to a call with these rows."""
    if len(rows) == 1 and isinstance(rows[0], bytes):
        return 200, b"[" + rows[0] + b"]", "", {}
    whole = [row for row in rows if isinstance(row, bytes)]
    if len(whole) == len(rows):
        return 200, b"[" + b",".join(whole) + b"]", "", {}
    refusal = next(row for row in rows if isinstance(row, RefusedCall))
    return refusal.status, b"", refusal.code, refusal.params


def _refusal(id_: int, refusal: RefusedCall) -> Answer:
    return Answer(id_, refusal.status, code=refusal.code, params=refusal.params)


def _by_size(calls: list[Call]) -> Iterator[list[Call]]:
    small = [call for call in calls if len(call.body) <= SMALL_PICTURE_BYTES]
    if small:
        yield small
    for call in calls:
        if len(call.body) > SMALL_PICTURE_BYTES:
            yield [call]


def _raise_if_beyond_repair(error: Exception) -> None:
    """After such an error a device answers nothing any more; to be out of memory is not that."""
    if isinstance(error, torch.AcceleratorError) and not isinstance(error, torch.OutOfMemoryError):
        raise error
