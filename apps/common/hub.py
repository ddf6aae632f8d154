"""Live fan-out: who watches a topic is told, in whichever process. See docs/subsystems/live.md.

``tell`` says something from any thread. A ``Hub``, one per process (strictly, per loop), holds
one Redis subscription and hands every message to the inboxes that watch its topic. Messages of a
topic are numbered across all processes, so a watcher knows whether it has missed one.

All of it is best effort: what a watcher must not miss it reads again when told to ``refetch``.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
import redis
import redis.asyncio
from django.conf import settings
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

log = logging.getLogger(__name__)

PREFIX = "datahall:live:"
REPLAY_SECONDS = 15.0
REPLAY_MESSAGES = 256
INBOX_MESSAGES = 256
INBOX_CHARACTERS = 1024 * 1024
OUTBOX_MESSAGES = 4096
PING_SECONDS = 10.0
TIMEOUT_SECONDS = 1.0
QUIET_SECONDS = 1.0  # after a failure nobody waits for Redis for so long

# A counter that is lost (restart without a disk, expiry) starts again at the time in milliseconds,
# which is beyond any number it has given: no number ever means two messages.
_NEXT = """
local function start()
  local now = redis.call('TIME')
  return string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000))
end
"""
SAY = f"""{_NEXT}
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SET', KEYS[1], start()) end
local seq = string.format('%.0f', redis.call('INCR', KEYS[1]))
redis.call('EXPIRE', KEYS[1], 86400)
redis.call('PUBLISH', KEYS[2], seq .. ':' .. ARGV[1])
return seq
"""
POSITION = f"""{_NEXT}
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SET', KEYS[1], start(), 'EX', 86400) end
return redis.call('GET', KEYS[1])
"""

Send = Callable[[str], Awaitable[None]]


def tell(topic: str, message: dict[str, Any]) -> None:
    """Tell every watcher of a topic, in whichever process; best effort, never raises."""
    body = _encode(message)
    if body is not None:
        _voice().say(topic, body)


def here() -> "Hub":
    """The running event loop's hub."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub(settings.REDIS_URL)
    return _hubs[loop]


async def close_here() -> None:
    """End the running event loop's hub, if it ever had one."""
    if hub := _hubs.pop(asyncio.get_running_loop(), None):
        await hub.aclose()


_hubs: "WeakKeyDictionary[asyncio.AbstractEventLoop, Hub]" = WeakKeyDictionary()


def _encode(message: dict[str, Any]) -> str | None:
    """JSON with UUIDs, times and enums as text; what no JSON has (NaN) becomes null."""
    try:
        return msgspec.json.encode(message).decode()
    except (TypeError, ValueError):
        log.exception("a live message cannot be written as JSON")
        return None


def _seq_key(topic: str) -> str:
    return f"{PREFIX}seq:{topic}"


def _channel(topic: str) -> str:
    return f"{PREFIX}topic:{topic}"


class _Outage:
    """Says once that Redis is gone and once that it is back, however many notice."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._on = False

    def began(self, error: BaseException) -> None:
        if not self._on:
            self._on = True
            log.warning("%s: Redis does not answer (%s)", self._what, error)

    def ended(self) -> None:
        if self._on:
            self._on = False
            log.info("%s: Redis answers again", self._what)


class _Voice:
    """Says things from threads, over a pool of connections, and gives up soon."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(
            url,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            # a pooled connection may have died unnoticed; a silent server is not asked twice
            retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
        )
        self._outage = _Outage("live messages are not sent")
        self._quiet_until = 0.0
        self._lock = threading.Lock()

    def say(self, topic: str, body: str) -> None:
        if time.monotonic() < self._quiet_until:
            return
        try:
            self._redis.eval(SAY, 2, _seq_key(topic), _channel(topic), body)
        except (redis.RedisError, OSError) as error:
            with self._lock:
                self._quiet_until = time.monotonic() + QUIET_SECONDS
                self._outage.began(error)
        else:
            self._outage.ended()


@cache
def _voice() -> _Voice:
    return _Voice(settings.REDIS_URL)


class Inbox:
    """What one socket is to be told. Bounded: a slow reader gets the newest and blocks nobody."""

    def __init__(self, hub: "Hub", send: Send) -> None:
        self._hub = hub
        self._send = send
        self._queue: deque[tuple[str, int, str]] = deque()
        self._characters = 0
        self._lost: dict[str, int] = {}  # topic -> last message of it that was thrown away
        self._filled = asyncio.Event()
        self._writer = asyncio.create_task(self._write())
        self.topics: set[str] = set()

    def watch(self, topic: str, since: int | None = None) -> None:
        """Be told of a topic: first where it stands and whether to fetch again, then what comes."""
        self.topics.add(topic)
        self._hub._watch(self, topic, since)

    def unwatch(self, topic: str) -> None:
        self.topics.discard(topic)
        self._lost.pop(topic, None)
        self._hub._unwatch(self, topic)

    def put(self, text: str, *, topic: str = "", seq: int = 0) -> None:
        """Queue a text; when there are too many, the oldest is lost and its topic says so."""
        self._queue.append((topic, seq, text))
        self._characters += len(text)
        while len(self._queue) > INBOX_MESSAGES or (
            self._characters > INBOX_CHARACTERS and len(self._queue) > 1
        ):
            lost_topic, lost_seq, lost = self._queue.popleft()
            self._characters -= len(lost)
            if lost_topic in self.topics:
                self._lost[lost_topic] = lost_seq
        self._filled.set()

    async def close(self) -> None:
        """Stop telling; nothing is sent after this."""
        for topic in list(self.topics):
            self.unwatch(topic)
        self._hub._inboxes.discard(self)
        self._writer.cancel()
        with suppress(asyncio.CancelledError):
            await self._writer

    async def _write(self) -> None:
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._lost or self._queue:
                if self._lost:
                    topic, seq = self._lost.popitem()
                    text = _watching(topic, seq, refetch=True)
                else:
                    _, _, text = self._queue.popleft()
                    self._characters -= len(text)
                try:
                    await self._send(text)
                except Exception as error:  # noqa: BLE001  # the socket is gone, in whatever way
                    log.debug("an inbox's socket is gone: %s", error)
                    return


class _Topic:
    def __init__(self, name: str) -> None:
        self.name = name
        self.watchers: set[Inbox] = set()
        self.asking: dict[Inbox, int | None] = {}  # have to be told where the topic stands
        self.idle_since: float | None = None
        self.subscribed = False  # asked for on the present connection
        self.placed = False  # confirmed, and `last` is known
        self.last: int | None = None
        self.early: list[tuple[int, str]] = []  # came before `last` was known
        self.history: deque[tuple[float, int, str]] = deque(maxlen=REPLAY_MESSAGES)


class Hub:
    """One Redis subscription, the topics watched over it, and those who watch them."""

    def __init__(self, url: str, *, ping_seconds: float = PING_SECONDS) -> None:
        self._ping_seconds = ping_seconds
        no_retry = AsyncRetry(NoBackoff(), 0)  # a lost connection is told, never papered over
        self._subscriber = redis.asyncio.Redis.from_url(
            url,
            socket_timeout=None,  # redis-py's default of 5 s would end an idle subscription
            socket_connect_timeout=TIMEOUT_SECONDS,
            socket_keepalive=True,
            retry=no_retry,
        )
        self._commands = redis.asyncio.Redis.from_url(
            url,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=no_retry,
        )
        self._topics: dict[str, _Topic] = {}
        self._inboxes: set[Inbox] = set()
        self._wanted = asyncio.Event()  # a topic came, or went
        self._outbox: deque[tuple[str, str]] = deque(maxlen=OUTBOX_MESSAGES)
        self._said = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._outage = _Outage("live messages do not arrive")
        self._mute = _Outage("live messages are not sent")

    def open(self, send: Send) -> Inbox:
        """An inbox whose texts are sent one after the other by a task of its own."""
        self._start()
        inbox = Inbox(self, send)
        self._inboxes.add(inbox)
        return inbox

    def tell(self, topic: str, message: dict[str, Any]) -> None:
        """``tell`` for an event loop: never waits; if Redis is slow the oldest are lost."""
        body = _encode(message)
        if body is not None:
            self._start()
            self._outbox.append((topic, body))
            self._said.set()

    async def is_watched(self, topic: str) -> bool:
        """Whether any process listens to a topic, or did a moment ago: is it worth telling?"""
        try:
            ((_, listeners),) = await self._commands.pubsub_numsub(_channel(topic))
        except (redis.RedisError, OSError) as error:
            self._mute.began(error)
            return False  # it could not be told either
        return int(listeners) > 0

    async def aclose(self) -> None:
        """Close every inbox and connection."""
        for inbox in list(self._inboxes):
            await inbox.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self._subscriber.aclose()
        await self._commands.aclose()

    def _start(self) -> None:
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._speak())]

    # --- out to Redis ----------------------------------------------------------------------------

    async def _speak(self) -> None:
        while True:
            await self._said.wait()
            self._said.clear()
            while self._outbox:
                pipeline = self._commands.pipeline(transaction=False)
                for _ in range(min(len(self._outbox), 256)):
                    topic, body = self._outbox.popleft()
                    pipeline.eval(SAY, 2, _seq_key(topic), _channel(topic), body)
                try:
                    await pipeline.execute()
                except (redis.RedisError, OSError) as error:
                    self._mute.began(error)
                    await asyncio.sleep(QUIET_SECONDS)
                else:
                    self._mute.ended()

    # --- in from Redis ---------------------------------------------------------------------------

    async def _listen(self) -> None:
        while True:
            try:
                await self._subscription()
            except* (redis.RedisError, OSError) as errors:
                self._outage.began(errors.exceptions[0])
            except* Exception:
                log.exception("the live subscription failed")
            for topic in self._topics.values():
                topic.subscribed = topic.placed = False
                topic.early.clear()
            await asyncio.sleep(QUIET_SECONDS / 4)

    async def _subscription(self) -> None:
        """Listen until the connection is lost, or silent although it was pinged."""
        pubsub = self._subscriber.pubsub()
        silence = 2 * self._ping_seconds
        try:
            async with asyncio.timeout(silence) as limit, asyncio.TaskGroup() as helpers:
                # a channel of our own, so that there is always one: pings need a subscription
                await pubsub.subscribe(f"{PREFIX}here")
                helpers.create_task(self._ping(pubsub))
                helpers.create_task(self._align(pubsub))
                async for message in pubsub.listen():
                    limit.reschedule(asyncio.get_running_loop().time() + silence)
                    await self._hear(message)
        finally:
            await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def _ping(self, pubsub: Any) -> None:
        while True:
            await asyncio.sleep(self._ping_seconds)
            await pubsub.ping()

    async def _align(self, pubsub: Any) -> None:
        """Subscribe to what is watched, and no longer to what nobody has watched for a while."""
        while True:
            new = [topic for topic in self._topics.values() if not topic.subscribed]
            if new:
                for topic in new:
                    topic.subscribed = True
                await pubsub.subscribe(*(_channel(topic.name) for topic in new))
            now = time.monotonic()
            old = [
                topic.name
                for topic in self._topics.values()
                if topic.idle_since is not None and now - topic.idle_since > REPLAY_SECONDS
            ]
            if old:
                for name in old:
                    del self._topics[name]
                await pubsub.unsubscribe(*(_channel(name) for name in old))
            idle = any(topic.idle_since is not None for topic in self._topics.values())
            with suppress(TimeoutError):
                async with asyncio.timeout(REPLAY_SECONDS if idle else None):
                    await self._wanted.wait()
            self._wanted.clear()

    async def _hear(self, message: dict[str, Any]) -> None:
        channel = message["channel"]
        if channel is None:
            return  # a pong
        name = channel.decode().removeprefix(f"{PREFIX}topic:")
        if message["type"] == "subscribe":
            self._outage.ended()
            if topic := self._topics.get(name):
                answer: Any = await self._commands.eval(POSITION, 1, _seq_key(name))
                self._place(topic, int(answer))
        elif message["type"] == "message" and (topic := self._topics.get(name)):
            seq, _, body = message["data"].decode().partition(":")
            text = f'{{"topic":"{name}","seq":{seq},"body":{body}}}'
            if topic.placed:
                self._take(topic, int(seq), text)
            else:
                topic.early.append((int(seq), text))

    def _place(self, topic: _Topic, position: int) -> None:
        """The subscription holds, and the topic stood at ``position`` a moment later."""
        first = topic.early[0][0] if topic.early else position + 1
        if topic.last is None:
            topic.last = position
        elif first != topic.last + 1:
            self._skip(topic, position)
        topic.placed = True
        for inbox, since in topic.asking.items():
            self._answer(topic, inbox, since)
        topic.asking.clear()
        for seq, text in topic.early:
            self._take(topic, seq, text)
        topic.early.clear()

    def _take(self, topic: _Topic, seq: int, text: str) -> None:
        assert topic.last is not None
        if seq <= topic.last:
            return
        if seq != topic.last + 1:
            self._skip(topic, seq - 1)
        topic.last = seq
        topic.history.append((time.monotonic(), seq, text))
        for inbox in topic.watchers:
            inbox.put(text, topic=topic.name, seq=seq)

    def _skip(self, topic: _Topic, position: int) -> None:
        """Messages up to ``position`` were missed: whoever watches has to fetch again."""
        topic.history.clear()
        topic.last = position
        for inbox in topic.watchers - topic.asking.keys():
            inbox.put(_watching(topic.name, position, refetch=True), topic=topic.name, seq=position)

    # --- watchers --------------------------------------------------------------------------------

    def _watch(self, inbox: Inbox, name: str, since: int | None) -> None:
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = _Topic(name)
            self._wanted.set()
        topic.idle_since = None
        topic.watchers.add(inbox)
        if topic.placed:
            self._answer(topic, inbox, since)
        else:
            topic.asking[inbox] = since

    def _unwatch(self, inbox: Inbox, name: str) -> None:
        topic = self._topics.get(name)
        if topic is None:
            return
        topic.watchers.discard(inbox)
        topic.asking.pop(inbox, None)
        if not topic.watchers and topic.idle_since is None:
            topic.idle_since = time.monotonic()
            self._wanted.set()

    def _answer(self, topic: _Topic, inbox: Inbox, since: int | None) -> None:
        """Where the topic stands, and what came after ``since`` if all of it is still here."""
        assert topic.last is not None
        _forget_old(topic)
        oldest = topic.history[0][1] - 1 if topic.history else topic.last
        resumes = since is not None and oldest <= since <= topic.last
        start = since if resumes and since is not None else topic.last
        inbox.put(_watching(topic.name, start, refetch=not resumes), topic=topic.name, seq=start)
        for _, seq, text in topic.history:
            if seq > start:
                inbox.put(text, topic=topic.name, seq=seq)


def _forget_old(topic: _Topic) -> None:
    horizon = time.monotonic() - REPLAY_SECONDS
    while topic.history and topic.history[0][0] < horizon:
        topic.history.popleft()


def _watching(topic: str, seq: int, *, refetch: bool) -> str:
    return msgspec.json.encode({"watching": topic, "seq": seq, "refetch": refetch}).decode()
