"""The inference gateway: a raw ASGI application. See docs/subsystems/serving.md.

On its way a request meets no database and no Django: proof, limits and shape are checked against a
table in memory, and the call joins those of others on the replica's connection.
"""

import asyncio
import logging
import math
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from itertools import count
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, InterfaceError

from agents.protocol.base import Reason
from agents.protocol.calls import Answer
from apps.accounts import credentials
from apps.common.api import problem_response
from apps.common.errors import DomainError, NotFound
from apps.common.parsers import BodyTooLarge
from apps.serving import proofs
from apps.serving.checks import Checker, ContentTypeRefused, Payload
from apps.serving.metering import Meter
from apps.serving.routes import Routes
from apps.serving.routing import Pace, Place, Route, Table, pick
from apps.serving.upstream import AnswerLost, Link, Links, NotBegun

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

PATHS = re.compile(r"/(?:api/)?v1/endpoints/([^/]+)/predict")
PATIENCE_SECONDS = 0.1  # after which it is watched whether the caller is still there
CONNECT_SECONDS = 5.0  # what a call waits for the first connection to a replica that is ready
LARGE_BYTES = 256 * 1024  # read in a thread, so that the loop goes on
UNREAD_BYTES = 64 * 1024  # of a refused body are swallowed; the connection of a longer one ends
CLIENT_GONE = 499  # never sent: nobody is there to read it

_request_ids = count(1)
_PROCESS = secrets.token_hex(6).encode()
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


def is_prediction(path: str) -> bool:
    """Whether a request for this path is the gateway's."""
    return path.startswith("/v1/endpoints/") or (
        path.startswith("/api/v1/endpoints/") and path.endswith("/predict")
    )


class MethodNotAllowed(DomainError):
    """The address takes POST only."""

    status = 405


class BodyTooSlow(DomainError):
    """The body did not come in time."""

    status = 408


class RateLimited(DomainError):
    """The key has had its requests of this minute."""

    status = 429


class QueueFull(DomainError):
    """As many calls as the endpoint may hold are waiting."""

    status = 429


class NoReplicaReady(DomainError):
    """Nothing answers for this endpoint now."""

    status = 503


class RoutesUnknown(DomainError):
    """This gateway has just started and has not reached the database yet."""

    status = 503


class PredictionTimeout(DomainError):
    """The answer did not come within the endpoint's time."""

    status = 504


class PredictionFailed(DomainError):
    """The replica could not compute an answer, and does not say why."""

    status = 502


class ReplicaRefused(Exception):
    """A replica said no: the caller hears it in the replica's words."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.status = answer.status if 400 <= answer.status < 600 else 502
        self.code = answer.code or PredictionFailed.code
        self.params = answer.params


class ClientGone(Exception):
    """Nobody is there to answer to."""


class Request:
    """What the way of a request needs of it."""

    __slots__ = (
        "_body_seconds",
        "_gave_up",
        "_loop",
        "_receive",
        "accept_language",
        "authorization",
        "body_read",
        "content_encoding",
        "content_type",
        "cookie",
        "declared",
        "host",
        "id",
        "method",
        "origin",
    )

    def __init__(self, scope: Scope, receive: Receive, *, body_seconds: float) -> None:
        headers = dict(scope["headers"])
        self._receive = receive
        self._body_seconds = body_seconds
        self._gave_up = False
        self._loop = asyncio.get_running_loop()
        self.method = scope["method"]
        self.authorization: bytes = headers.get(b"authorization", b"")
        self.content_type: bytes = headers.get(b"content-type", b"")
        self.content_encoding: bytes = headers.get(b"content-encoding", b"")
        self.cookie: bytes = headers.get(b"cookie", b"")
        self.origin: bytes = headers.get(b"origin", b"")
        self.host: bytes = headers.get(b"host", b"")
        self.accept_language: bytes = headers.get(b"accept-language", b"")
        # the server has seen to it that it is a number
        self.declared = int(headers[b"content-length"]) if b"content-length" in headers else None
        self.body_read = False
        id: bytes = headers.get(b"x-request-id", b"")
        self.id = id if _REQUEST_ID.fullmatch(id) else b"%s-%x" % (_PROCESS, next(_request_ids))

    async def body(self, most: int, came: Callable[[int], None]) -> bytes:
        """The whole body, if it is no longer than that and comes in time.

        ``came`` hears of the bytes of each part, and may refuse them.
        """
        if self.declared is not None and self.declared > most:
            raise BodyTooLarge(most=most)
        # as asyncio.timeout does it, for a third of its price: bodies are mostly there already
        task = asyncio.current_task()
        assert task is not None
        slow = self._loop.call_later(self._body_seconds, self._give_up, task)
        try:
            message = await self._receive()
            body = self._part(message)
            came(len(body))
            if message.get("more_body", False):
                parts, size = [body], len(body)
                while message.get("more_body", False) and size <= most:
                    message = await self._receive()
                    parts.append(self._part(message))
                    size += len(parts[-1])
                    came(len(parts[-1]))
                body = b"".join(parts)
        except asyncio.CancelledError:
            if not self._gave_up or task.uncancel() > 0:
                raise
            raise BodyTooSlow(seconds=self._body_seconds) from None
        finally:
            slow.cancel()
        if len(body) > most:
            raise BodyTooLarge(most=most)
        self.body_read = True
        return body

    def _give_up(self, task: "asyncio.Task[Any]") -> None:
        self._gave_up = True
        task.cancel()

    @staticmethod
    def _part(message: Message) -> bytes:
        if message["type"] == "http.disconnect":
            raise ClientGone
        part: bytes = message.get("body", b"")
        return part

    async def gone(self) -> None:
        """Return when the caller has hung up."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


class Gateway:
    """One per event loop. It starts with its first request, or when told to."""

    def __init__(self, *, sessions: bool) -> None:
        self._sessions = sessions  # whether a browser's cookie is a proof
        self._inner: _Gateway | None = None
        self._starting: asyncio.Task[_Gateway] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        inner = self._inner or await self.start()
        await inner.handle(scope, receive, send)

    async def start(self) -> "_Gateway":
        """Have routes and connections; returns after the first look at the database."""
        if self._starting is None:
            self._starting = asyncio.create_task(_Gateway.started(sessions=self._sessions))
        self._inner = await asyncio.shield(self._starting)
        return self._inner

    async def stop(self) -> None:
        """Store what was counted and end the connections."""
        inner, self._inner, self._starting = self._inner, None, None
        if inner is not None:
            await inner.stop()

    def standing(self) -> dict[str, Any]:
        """Whether calls can be routed, and how old is what they are routed by."""
        inner = self._inner
        age = inner.routes.age if inner else None
        return {
            "status": "unavailable" if inner is None or age is None else "ok",
            "routes_age_seconds": None if age is None else round(age, 1),
            "endpoints": len(inner.routes.table.routes) if inner else 0,
            "replicas_connected": inner.links.open if inner else 0,
        }


class _Gateway:
    def __init__(self, *, sessions: bool) -> None:
        self._sessions = sessions
        self._max_body_bytes = settings.GATEWAY_MAX_BODY_BYTES
        self._most_held_bytes = settings.GATEWAY_HELD_BYTES
        self._body_seconds = settings.GATEWAY_BODY_SECONDS
        self._loop = asyncio.get_running_loop()
        self.links = Links()
        self.routes = Routes(self._table_changed)
        self._access = proofs.Access()
        self._meter = Meter(lambda endpoint: self._outstanding.get(endpoint, 0))
        self._outstanding: dict[str, int] = {}  # by endpoint
        self._paces: dict[UUID, Pace] = {}
        self._held_bytes = 0
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def started(cls, *, sessions: bool) -> "_Gateway":
        gateway = cls(sessions=sessions)
        gateway._tasks = [
            asyncio.create_task(gateway.routes.run()),
            asyncio.create_task(gateway._meter.run()),
        ]
        await gateway.routes.look_again()
        return gateway

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.links.close()
        await self._meter.store()

    def _table_changed(self, table: Table) -> None:
        self.links.follow(table.places())
        limits = {key.id: key.requests_per_minute for key in table.keys.values()}
        for id, pace in list(self._paces.items()):
            if limits.get(id) != pace.per_minute:
                del self._paces[id]

    # --- one request -----------------------------------------------------------------------------

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        request = Request(scope, receive, body_seconds=self._body_seconds)
        match = PATHS.fullmatch(scope["path"])
        exchange = _Exchange(self.routes.table.routes.get(match[1]) if match else None, began)
        try:
            if match is None:
                raise NotFound
            if request.method != "POST":
                raise MethodNotAllowed(method=request.method)
            if self.routes.age is None:
                raise RoutesUnknown(seconds=2)
            await self._prove(request, match[1], exchange)
            answer, place = await self._predict(request, exchange)
        except ClientGone:
            exchange.finish(self._meter, CLIENT_GONE, "client_gone")
            return
        except (DomainError, ReplicaRefused) as refusal:
            await self._refuse(
                request, refusal.status, refusal.code, refusal.params, exchange, send
            )
        except (DatabaseError, InterfaceError) as error:
            log.warning("who calls cannot be asked: %s", error)
            await self._refuse(request, 503, "database_away", {"seconds": 5}, exchange, send)
        except Exception:
            log.exception("a prediction failed")
            await self._refuse(request, 500, "internal_error", {}, exchange, send)
        else:
            body = b'{"model":%s,"predictions":%s}' % (place.model_json, answer.body)
            await send(
                {
                    "type": "http.response.start",
                    "status": 200,
                    "headers": [
                        (b"content-type", b"application/json"),
                        (b"content-length", b"%d" % len(body)),
                        (b"cache-control", b"no-store"),
                        (b"x-request-id", request.id),
                        (b"server-timing", _timing(answer, began)),
                    ],
                }
            )
            await send({"type": "http.response.body", "body": body})
            exchange.answered(self._meter, answer, len(body))

    async def _prove(self, request: Request, endpoint: str, exchange: "_Exchange") -> None:
        """Refuse whoever may not call. On a miss the table is read once more: it may be news."""
        scheme, _, text = request.authorization.decode("latin-1").partition(" ")
        if scheme.lower() == "bearer" and text.startswith(f"{credentials.KEY_PREFIX}_"):
            key = proofs.known_key(text, self.routes.table)
            if key is None or exchange.route is None:
                await self._look_again(endpoint, exchange)
                key = proofs.known_key(text, self.routes.table)
            if key is None:
                raise proofs.KeyUnknown
            proofs.check_key(key, exchange.route, now=time.time())
            self._meter.used(key.id)
            if key.requests_per_minute is not None:
                self._pace(key.id, key.requests_per_minute)
            return
        if exchange.route is None:
            await self._look_again(endpoint, exchange)
        if scheme.lower() == "bearer":
            await self._access.check_token(text.strip(), exchange.route)
        elif self._sessions and request.cookie and not request.authorization:
            cookie, origin = request.cookie.decode("latin-1"), request.origin.decode("latin-1")
            host = request.host.decode("latin-1")
            await self._access.check_session(cookie, origin, host, exchange.route)
        else:
            raise proofs.KeyNeeded

    async def _look_again(self, endpoint: str, exchange: "_Exchange") -> None:
        await self.routes.look_again()
        exchange.route = self.routes.table.routes.get(endpoint)

    def _pace(self, key_id: UUID, per_minute: int) -> None:
        pace = self._paces.get(key_id)
        if pace is None:
            pace = self._paces[key_id] = Pace(per_minute)
        if wait := pace.take(time.monotonic()):
            raise RateLimited(per_minute=per_minute, seconds=math.ceil(wait))

    async def _predict(self, request: Request, exchange: "_Exchange") -> tuple[Answer, Place]:
        route = exchange.route
        assert route is not None  # nobody is let in to what is not there
        if not route.places:
            raise _nobody(route)
        content_type = _content_type(request)
        checker = route.places[-1].checker
        most = min(checker.limit(content_type), self._max_body_bytes)
        outstanding = self._outstanding.get(route.name, 0)
        if outstanding >= route.max_queue or self._held_bytes > self._most_held_bytes:
            raise QueueFull(most=route.max_queue, seconds=1)
        self._outstanding[route.name] = outstanding + 1

        def came(size: int) -> None:
            exchange.received += size
            self._held_bytes += size
            if self._held_bytes > self._most_held_bytes:
                raise QueueFull(most=route.max_queue, seconds=1)

        try:
            body = await request.body(most, came)
            deadline = self._loop.time() + route.timeout_seconds
            return await self._ask(request, exchange, content_type, body, deadline)
        finally:
            self._held_bytes -= exchange.received
            left = self._outstanding[route.name] - 1
            if left:
                self._outstanding[route.name] = left
            else:
                del self._outstanding[route.name]

    async def _ask(
        self,
        request: Request,
        exchange: "_Exchange",
        content_type: str,
        body: bytes,
        deadline: float,
    ) -> tuple[Answer, Place]:
        """The answer of whichever replica gives one.

        Another is asked if the first has surely not begun, and once more if its answer was lost.
        """
        route = exchange.route
        assert route is not None
        tried: set[Link] = set()
        checked: dict[Checker, Payload] = {}
        lost = full = False
        while link := self._free(route, tried) or await self._someone(route, tried, deadline):
            tried.add(link)
            checker = link.place.checker
            payload = checked.get(checker)
            if payload is None:
                if len(body) <= LARGE_BYTES:
                    payload = checker.read(content_type, body)
                else:
                    payload = await asyncio.to_thread(checker.read, content_type, body)
                checked[checker] = payload
            if not link.open:  # it broke while the body was read
                continue
            exchange.asked = True
            exchange.rows = payload.rows
            with link.ask(payload) as answering:
                try:
                    answer = await self._wait(answering, request, deadline, route)
                except NotBegun:
                    continue
                except AnswerLost:
                    if lost:
                        raise _nobody(route) from None
                    lost = True
                    continue
            if answer.status == 200:
                return answer, link.place
            if answer.status != 503:
                raise ReplicaRefused(answer)
            if answer.code == "draining":
                link.draining = True
            else:
                full = True
        if full:
            raise QueueFull(most=route.max_queue, seconds=1)
        raise _nobody(route)

    def _untried(self, route: Route, tried: set[Link]) -> list[Link]:
        # the table may have changed since this request began
        current = self.routes.table.routes.get(route.name, route)
        links = self.links.of(current.places)
        return [link for link in links if not link.draining and link not in tried]

    def _free(self, route: Route, tried: set[Link]) -> Link | None:
        """Who is to be asked next."""
        return pick([link for link in self._untried(route, tried) if link.open])

    async def _someone(self, route: Route, tried: set[Link], deadline: float) -> Link | None:
        """The same, after a moment in which a first connection may come about."""
        until = min(deadline, self._loop.time() + CONNECT_SECONDS)
        while True:
            links = self._untried(route, tried)
            left = until - self._loop.time()
            link = self._free(route, tried)
            if link or not links or left <= 0:
                return link
            waiting = [asyncio.create_task(link.opened.wait()) for link in links]
            try:
                await asyncio.wait(
                    waiting, timeout=min(left, 0.25), return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                for task in waiting:
                    task.cancel()

    async def _wait(
        self, answering: "asyncio.Future[Answer]", request: Request, deadline: float, route: Route
    ) -> Answer:
        """The answer, unless the time is over or the caller has gone."""
        # most answers are there before it is worth to watch for either
        patience = self._loop.call_at(
            min(deadline, self._loop.time() + PATIENCE_SECONDS),
            self._watch,
            *(answering, request, deadline, route),
        )
        try:
            return await answering
        finally:
            patience.cancel()

    def _watch(
        self, answering: "asyncio.Future[Answer]", request: Request, deadline: float, route: Route
    ) -> None:
        async def watch() -> None:
            error: Exception = ClientGone()
            try:
                async with asyncio.timeout_at(deadline):
                    await request.gone()
            except TimeoutError:
                error = PredictionTimeout(seconds=route.timeout_seconds)
            if not answering.done():
                answering.set_exception(error)

        watching = self._loop.create_task(watch())
        answering.add_done_callback(lambda _: watching.cancel())

    async def _refuse(
        self,
        request: Request,
        status: int,
        code: str,
        params: Mapping[str, Any],
        exchange: "_Exchange",
        send: Send,
    ) -> None:
        language = request.accept_language.decode("latin-1").strip().lower()
        reader = SimpleNamespace(LANGUAGE_CODE=language or "en")
        response = problem_response(reader, status, code, params)
        headers = [
            *(
                (name.lower().encode("latin-1"), value.encode("latin-1"))
                for name, value in response.headers.items()
            ),
            (b"content-length", b"%d" % len(response.content)),
            (b"cache-control", b"no-store"),
            (b"x-request-id", request.id),
        ]
        if status == 405:
            headers.append((b"allow", b"POST"))
        if not request.body_read and (request.declared is None or request.declared > UNREAD_BYTES):
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": response.content})
        exchange.finish(self._meter, status, code, sent=len(response.content))


class _Exchange:
    """What is to be counted of a request."""

    __slots__ = ("_began", "asked", "received", "route", "rows")

    def __init__(self, route: Route | None, began: float) -> None:
        self._began = began
        self.route = route
        self.asked = False
        self.received = 0
        self.rows = 0

    def finish(self, meter: Meter, status: int, code: str, *, sent: int = 0) -> None:
        if self.route is None:
            return
        microseconds = (time.perf_counter() - self._began) * 1e6
        meter.note(
            self.route.name,
            status=status,
            code=code,
            latency_us=microseconds if self.asked else None,
            received=self.received,
            sent=sent,
        )

    def answered(self, meter: Meter, answer: Answer, sent: int) -> None:
        assert self.route is not None
        meter.note(
            self.route.name,
            status=200,
            latency_us=(time.perf_counter() - self._began) * 1e6,
            queue_us=answer.queued_us,
            model_us=answer.computed_us,
            rows=self.rows,
            received=self.received,
            sent=sent,
        )


def _content_type(request: Request) -> str:
    if request.content_encoding not in (b"", b"identity"):
        raise ContentTypeRefused(accepted="identity")
    return request.content_type.decode("latin-1").partition(";")[0].strip().lower()


def _nobody(route: Route) -> NoReplicaReady:
    why = route.why or Reason(code="endpoint_unreachable")
    return NoReplicaReady(why={"code": why.code, "params": why.params}, seconds=2)


def _timing(answer: Answer, began: float) -> bytes:
    total = (time.perf_counter() - began) * 1000
    return b"queue;dur=%.3f, model;dur=%.3f, total;dur=%.3f" % (
        answer.queued_us / 1000,
        answer.computed_us / 1000,
        total,
    )
