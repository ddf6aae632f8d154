"""The door that bytes pass: plain ASGI below Django, with flat memory and no database.

``GET`` a ticket's bytes, whole or one range; ``HEAD`` an upload to learn its offset and ``PATCH``
bytes onto it. Files are touched in threads of this module's own, so that a slow disk or a long
hash holds up neither the event loop nor a Django view. See docs/subsystems/artifacts.md.
"""

import asyncio
import hashlib
import logging
import os
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

import msgspec

from apps.artifacts import disposition, storage, tickets
from apps.artifacts.tickets import Ticket
from apps.common import messages
from apps.common.errors import DomainError

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = dict[str, str]
P = ParamSpec("P")
T = TypeVar("T")

READ_BYTES = 256 * 1024
WRITE_BYTES = 1024 * 1024
SMALL_BYTES = 64 * 1024 * 1024  # hashed in a moment
IDLE_SECONDS = 60.0  # without a byte, either way
BUSY_SECONDS = 5.0  # for the lock of a connection that broke and has not been noticed yet

_files = ThreadPoolExecutor(16, "transfer")
_hashes = ThreadPoolExecutor(2, "transfer-hash")  # long work, kept from starving the short


class WrongOffset(DomainError):
    """The bytes do not continue where the upload stands."""


class OffsetMissing(DomainError):
    """The request does not say where its bytes belong."""

    status = 400


class TooManyBytes(DomainError):
    """More bytes than the upload was announced with."""

    status = 413


class UploadStalled(DomainError):
    """No bytes came for too long; what had come is kept."""

    status = 408


class RangeUnsatisfiable(DomainError):
    """The range lies outside the bytes."""

    status = 416


class MethodRefused(DomainError):
    """The ticket is for something else."""

    status = 405


class ClientGone(Exception):
    """Nobody is there to answer to."""


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request whose path ends in a ticket."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    try:
        ticket = tickets.read(scope["path"].rpartition("/")[2], now=time.time())
        match ticket.verb, scope["method"]:
            case "get", "GET" | "HEAD":
                await _download(ticket, headers, scope["method"], receive, send)
            case "put", "HEAD":
                await _tell_offset(ticket, send)
            case "put", "PATCH":
                await _append(ticket, headers, receive, send)
            case _:
                allowed = "GET, HEAD" if ticket.verb == "get" else "HEAD, PATCH"
                raise MethodRefused(method=scope["method"], allowed=allowed)
    except DomainError as refusal:  # always before the answer has begun
        await _refuse(refusal, headers, send)
    except ClientGone:
        pass


# --- down ----------------------------------------------------------------------------------------


async def _download(
    ticket: Ticket, headers: Headers, method: str, receive: Receive, send: Send
) -> None:
    etag = f'"{ticket.digest}"'
    answer = {
        "accept-ranges": "bytes",
        "etag": etag,
        "content-type": disposition.content_type(ticket.media_type),
        "content-disposition": disposition.content_disposition(ticket.filename, ticket.media_type),
        # bytes under a digest never change; they are for the holder of this ticket alone
        "cache-control": "private, max-age=86400, immutable",
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox; default-src 'none'",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "no-referrer",
    }
    if headers.get("if-none-match") == etag:
        await _answer(send, 304, answer)
        return
    descriptor = await _in(_files, storage.store().open, ticket.digest, size=ticket.size)
    try:
        if method == "GET" and ticket.size <= READ_BYTES:
            await _in(_files, _check_small, descriptor, ticket)
        part = _range(headers, etag, ticket.size) if method == "GET" else None
        start, end = part or (0, ticket.size)
        if part:
            answer["content-range"] = f"bytes {start}-{end - 1}/{ticket.size}"
        answer["content-length"] = str(end - start)
        await send(_head(206 if part else 200, answer))
        if method == "GET":
            await _pour(ticket, descriptor, start, end, receive, send)
        else:
            await send(_body(b""))
    finally:
        await _in(_files, os.close, descriptor)


def _range(headers: Headers, etag: str, size: int) -> tuple[int, int] | None:
    """The one range asked for, end exclusive; None for the whole (RFC 9110, 14.2)."""
    if headers.get("if-range", etag) != etag:
        return None
    asked = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", headers.get("range", "").strip())
    if not asked or not any(asked.groups()):
        return None  # several ranges, or none that can be read: the whole is a correct answer
    first, last = asked.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < int(first):
            return None
    if start >= size or start >= end:
        raise RangeUnsatisfiable(size=size)
    return start, end


def _check_small(descriptor: int, ticket: Ticket) -> None:
    """What fits in one piece is read and hashed before the answer begins."""
    data = os.pread(descriptor, ticket.size, 0)
    if hashlib.sha256(data).hexdigest() != ticket.digest:
        raise storage.BytesDamaged(digest=ticket.digest)


async def _pour(
    ticket: Ticket, descriptor: int, at: int, end: int, receive: Receive, send: Send
) -> None:
    """Send the bytes; the last piece of the whole only if all of them were what they should be.

    So a damaged file never arrives complete. A part of one is for its reader to judge: nodes and
    the CLI hash what they put together.
    """
    sum_of = hashlib.sha256() if (at, end) == (0, ticket.size) else None
    # the server swallows what is sent to a client that has gone, so ask
    gone = asyncio.ensure_future(_until_gone(receive))
    try:
        while at < end:
            data = await _in(_files, _read, descriptor, min(READ_BYTES, end - at), at, sum_of)
            if gone.done() or not data:
                raise ClientGone
            at += len(data)
            if at == end and sum_of is not None and sum_of.hexdigest() != ticket.digest:
                log.error("the stored bytes of %s are damaged: not sent", ticket.digest)
                raise ClientGone
            async with asyncio.timeout(IDLE_SECONDS):
                await send(_body(data, more=at < end))
    except TimeoutError:
        raise ClientGone from None
    finally:
        gone.cancel()


def _read(descriptor: int, size: int, at: int, sum_of: "hashlib._Hash | None") -> bytes:
    data = os.pread(descriptor, size, at)
    if sum_of is not None:
        sum_of.update(data)
    return data


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


# --- up ------------------------------------------------------------------------------------------


async def _tell_offset(ticket: Ticket, send: Send) -> None:
    offset = await _in(_files, storage.store().offset, _upload(ticket))
    await _answer(
        send,
        200,
        {
            "upload-offset": str(offset),
            "upload-length": str(ticket.size),
            "cache-control": "no-store",
        },
    )


async def _append(ticket: Ticket, headers: Headers, receive: Receive, send: Send) -> None:
    upload, store = _upload(ticket), storage.store()
    offset = _number(headers, "upload-offset")
    if offset is None:
        raise OffsetMissing
    if offset + (_number(headers, "content-length") or 0) > ticket.size:
        raise TooManyBytes(size=ticket.size)

    if sealed := await _in(_files, store.sealed, upload):
        if offset != sealed.size:
            raise WrongOffset(offset=sealed.size, size=ticket.size)
    else:
        incoming = await _only_writer(upload)
        try:
            if offset != incoming.offset:
                raise WrongOffset(offset=incoming.offset, size=ticket.size)
            try:
                await _take(incoming, ticket.size, receive)
            finally:
                await _in(_files, incoming.sync)  # whatever ended it: what came is kept
            offset = incoming.offset
            if offset == ticket.size:
                pool = _files if ticket.size <= SMALL_BYTES else _hashes
                await _in(pool, incoming.seal, ticket.digest)
        finally:
            await _in(_files, incoming.close)
    await _answer(send, 204, {"upload-offset": str(offset), "cache-control": "no-store"})


async def _only_writer(upload: UUID) -> storage.Incoming:
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return await _in(_files, storage.store().receive, upload)
        except storage.UploadBusy:
            if time.monotonic() > end:
                raise
        await asyncio.sleep(0.05)


async def _take(incoming: storage.Incoming, size: int, receive: Receive) -> None:
    """Write the request's body to its end, or until the client goes, stalls or sends too much."""
    waiting = bytearray()
    more, gone, stalled = True, False, False
    while more:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                message = await receive()
        except TimeoutError:
            stalled = True
            break
        if message["type"] == "http.disconnect":
            gone = True
            break
        waiting += message.get("body", b"")
        more = message.get("more_body", False)
        if incoming.offset + len(waiting) > size:
            await _in(_files, incoming.write, waiting[: size - incoming.offset])
            raise TooManyBytes(size=size)
        if len(waiting) >= WRITE_BYTES:
            await _in(_files, incoming.write, waiting)
            waiting = bytearray()
    await _in(_files, incoming.write, waiting)
    if gone:
        raise ClientGone
    if stalled:
        raise UploadStalled(offset=incoming.offset, size=size, seconds=IDLE_SECONDS)


def _upload(ticket: Ticket) -> UUID:
    if ticket.upload is None:
        raise tickets.TicketForged
    return ticket.upload


def _number(headers: Headers, name: str) -> int | None:
    text = headers.get(name, "")
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


# --- answers -------------------------------------------------------------------------------------


async def _refuse(refusal: DomainError, headers: Headers, send: Send) -> None:
    if refusal.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("transfer: %s %s", refusal.code, refusal.params)
    language = _language(headers)
    problem = {
        "type": f"urn:datahall:problem:{refusal.code}",
        "title": messages.render(f"status_{refusal.status}", {}, language),
        "status": refusal.status,
        "detail": messages.render(refusal.code, refusal.params, language),
        "code": refusal.code,
        "params": refusal.params,
    }
    answer = {
        "content-type": "application/problem+json",
        "content-language": language,
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    match refusal:
        case MethodRefused():
            answer["allow"] = refusal.params["allowed"]
        case RangeUnsatisfiable():
            answer["content-range"] = f"bytes */{refusal.params['size']}"
        case WrongOffset() | UploadStalled():
            answer["upload-offset"] = str(refusal.params["offset"])
        case storage.UploadBusy():
            answer["retry-after"] = "1"
        case storage.DigestMismatch():
            answer["upload-offset"] = "0"
    await _answer(send, refusal.status, answer, msgspec.json.encode(problem))


def _language(headers: Headers) -> str:
    wanted = headers.get("accept-language", "").lower()
    return "zh-CN" if wanted.startswith("zh") else "en"


async def _answer(send: Send, status: int, headers: Headers, body: bytes = b"") -> None:
    if status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
        headers = {**headers, "content-length": str(len(body))}
    await send(_head(status, headers))
    await send(_body(body))


def _head(status: int, headers: Headers) -> Message:
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": int(status), "headers": raw}


def _body(data: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def _in(
    pool: ThreadPoolExecutor, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    return await asyncio.get_running_loop().run_in_executor(
        pool, partial(function, *args, **kwargs)
    )
