"""The HTTPS side of the control plane, as this node sees it."""

import asyncio
import base64
import logging
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from uuid import UUID

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agents.node.clock import Clock
from agents.node.config import Identity
from agents.protocol.base import Message
from agents.protocol.rest import (
    NODE_DOMAIN,
    Challenge,
    ChallengeRequest,
    Desired,
    JoinAnswer,
    JoinRequest,
    OutputAnswer,
    OutputFinished,
    OutputRequest,
    Problem,
    StartAnswer,
    StartRequest,
    Ticket,
    TokenAnswer,
    TokenRequest,
)

log = logging.getLogger(__name__)

TIMEOUT = httpx.Timeout(30.0, connect=10.0)
PIECE_BYTES = 8 * 1024 * 1024  # of an upload: what is lost when it breaks off
READ_BYTES = 256 * 1024
LONGEST_PAUSE_SECONDS = 15.0

T = TypeVar("T")
M = TypeVar("M", bound=Message)


class Unavailable(Exception):
    """No answer, or none that means anything: ask again later."""


class Refused(Exception):
    """The control plane said no."""

    def __init__(self, status: int, problem: Problem) -> None:
        super().__init__(status, problem.code, problem.detail)
        self.status = status
        self.problem = problem

    @property
    def lets_go(self) -> bool:
        """Whether the workload is not this node's, or no longer."""
        return self.status in (404, 410) or self.problem.code == "stale_fence"


class TicketRefused(Exception):
    """The bytes are not given for this ticket, or no longer: another one may help."""


class ControlPlane:
    """Every call this node makes. Each raises ``Unavailable`` or ``Refused``."""

    def __init__(
        self,
        identity: Identity,
        key: Ed25519PrivateKey,
        clock: Clock,
        *,
        on_keys: Callable[[dict[str, str]], None] = lambda _: None,
    ) -> None:
        self._identity = identity
        self._key = key
        self._clock = clock
        self._on_keys = on_keys
        self._http = httpx.AsyncClient(base_url=identity.url, timeout=TIMEOUT)
        self._token = ""
        self._renew_at = 0.0  # monotonic
        self._renewing = asyncio.Lock()

    async def close(self) -> None:
        await self._http.aclose()

    # --- credential -------------------------------------------------------------------------------

    async def token(self) -> str:
        """A bearer that holds for a while; renewed when half of its life is over."""
        async with self._renewing:
            if time.monotonic() >= self._renew_at:
                await self._renew()
            return self._token

    def forget_token(self) -> None:
        """Somebody refused it: the next call gets another."""
        self._renew_at = 0.0

    async def _renew(self) -> None:
        node = self._identity.node
        challenge = await self._post("/agent/v1/challenge", ChallengeRequest(node=node), Challenge)
        signature = self._key.sign(NODE_DOMAIN + challenge.nonce.encode())
        request = TokenRequest(
            node=node, nonce=challenge.nonce, signature=base64.b64encode(signature).decode()
        )
        sent_at = time.time()
        answer = await self._post("/agent/v1/token", request, TokenAnswer)
        self._clock.heard(answer.server_time, sent_at=sent_at, received_at=time.time())
        self._token = answer.token
        self._renew_at = time.monotonic() + answer.expires_in / 2
        if answer.signing_keys:
            self._on_keys(answer.signing_keys)

    # --- orders -----------------------------------------------------------------------------------

    async def desired(self) -> list[str]:
        """Every envelope that this node has not settled."""
        answer = await self._authorised("GET", "/agent/v1/desired")
        return _decode(answer.content, Desired).envelopes

    async def spec(self, workload: UUID) -> bytes:
        return (await self._authorised("GET", f"/agent/v1/workloads/{workload}/spec")).content

    async def start(self, workload: UUID, request: StartRequest) -> StartAnswer:
        path = f"/agent/v1/workloads/{workload}/start"
        return _decode((await self._authorised("POST", path, request)).content, StartAnswer)

    # --- bytes ------------------------------------------------------------------------------------

    async def offer_output(self, workload: UUID, request: OutputRequest) -> OutputAnswer:
        path = f"/agent/v1/workloads/{workload}/outputs"
        return _decode((await self._authorised("POST", path, request)).content, OutputAnswer)

    async def finish_output(self, workload: UUID, request: OutputFinished) -> None:
        await self._authorised("POST", f"/agent/v1/workloads/{workload}/outputs/finish", request)

    async def download(self, ticket: Ticket, path: Path) -> None:
        """Add to ``path`` what it lacks of the ticket's bytes; raises ``TicketRefused`` too."""
        have = path.stat().st_size if path.exists() else 0
        if have >= ticket.size:
            path.touch()  # there is nothing to ask for in an empty file
            return
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        try:
            async with self._http.stream("GET", ticket.url, headers=headers) as answer:
                if answer.status_code not in (200, 206):
                    await answer.aread()
                _check(answer)
                if answer.status_code == 200:
                    have = 0  # the whole of it, whatever was asked for
                await _keep(answer.aiter_bytes(READ_BYTES), path, at=have, limit=ticket.size)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(str(error) or type(error).__name__) from error
        except Refused as refused:
            path.unlink(missing_ok=True)  # if the range was wrong, it is not asked for again
            raise TicketRefused(str(refused)) from refused

    async def upload(self, url: str, source: Callable[[], BinaryIO], size: int) -> None:
        """Send a file's bytes, opened here, from where the other side says it has got to.

        A refusal is of this upload alone: offered again, the file gets another.
        """
        try:
            await self._send_rest(url, source, size)
        except Refused as refused:
            raise Unavailable(f"upload refused: {refused}") from refused

    async def _send_rest(self, url: str, source: Callable[[], BinaryIO], size: int) -> None:
        answer = await self._call("HEAD", url)
        offset = _offset(answer)
        with source() as file:
            while offset < size:
                file.seek(offset)
                piece = await asyncio.to_thread(file.read, min(PIECE_BYTES, size - offset))
                if not piece:
                    raise Unavailable("the file is shorter than it was")
                sent = await self._call(
                    "PATCH", url, content=piece, headers={"Upload-Offset": str(offset)}
                )
                offset = _offset(sent)

    # --- calls ------------------------------------------------------------------------------------

    async def _authorised(
        self, method: str, path: str, body: Message | None = None
    ) -> httpx.Response:
        content = None if body is None else msgspec.json.encode(body)
        for last in (False, True):
            token = await self.token()
            try:
                return await self._call(
                    method,
                    path,
                    content=content,
                    headers={"Authorization": f"Bearer {token}", **JSON},
                )
            except Refused as refused:
                if refused.status != 401 or last:
                    raise
                self.forget_token()
        raise AssertionError("unreachable")

    async def _post(self, path: str, body: Message, answer: type[M]) -> M:
        content = msgspec.json.encode(body)
        return _decode(
            (await self._call("POST", path, content=content, headers=JSON)).content, answer
        )

    async def _call(self, method: str, url: str, **more: Any) -> httpx.Response:
        try:
            answer = await self._http.request(method, url, **more)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(str(error) or type(error).__name__) from error
        try:
            _check(answer)
        except Refused as refused:
            if not refused.problem.code:  # of whatever stands in between: not the one we asked
                raise Unavailable(f"{method} {answer.request.url.path}: {refused.status}") from None
            raise
        return answer


JSON = {"Content-Type": "application/json", "Accept": "application/json"}


async def join(url: str, request: JoinRequest) -> JoinAnswer:
    """Trade a join token and a public key for an identity."""
    try:
        async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT) as http:
            answer = await http.post(
                "/agent/v1/join", content=msgspec.json.encode(request), headers=JSON
            )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable(str(error) or type(error).__name__) from error
    _check(answer)
    return _decode(answer.content, JoinAnswer)


async def until_answered(call: Callable[[], Awaitable[T]], what: str) -> T:
    """The answer, however long the control plane is away; a refusal is an answer too."""
    pause = 0.25
    while True:
        try:
            return await call()
        except Unavailable as error:
            log.warning("%s: %s; trying again", what, error)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))


def _check(answer: httpx.Response) -> None:
    status = answer.status_code
    if status < 300:
        return
    if status >= 500 or status in (408, 425, 429) or status < 400:
        raise Unavailable(f"{answer.request.method} {answer.request.url.path}: {status}")
    try:
        problem = msgspec.json.decode(answer.content, type=Problem)
    except (msgspec.DecodeError, httpx.ResponseNotRead):
        problem = Problem(status=status, detail=answer.reason_phrase)
    raise Refused(status, problem)


def _decode(body: bytes, kind: type[M]) -> M:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise Unavailable(f"an unreadable {kind.__name__}: {error}") from error


def _offset(answer: httpx.Response) -> int:
    try:
        return int(answer.headers["Upload-Offset"])
    except (KeyError, ValueError):
        raise Unavailable("the upload has no offset") from None


async def _keep(pieces: AsyncIterator[bytes], path: Path, *, at: int, limit: int) -> None:
    """Write pieces from an offset on; more than was promised is a broken answer."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(file, at)
        os.lseek(file, at, os.SEEK_SET)
        async for piece in pieces:
            at += len(piece)
            if at > limit:
                raise Unavailable("more bytes than promised")
            await asyncio.to_thread(_write_all, file, piece)
    finally:
        os.close(file)


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
