"""The browsers' socket. A relay without opinions: see docs/subsystems/live.md."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec
from django.db import DatabaseError, InterfaceError

from apps.accounts.authentication import person_of_session, principal_of_bearer
from apps.accounts.models import User
from apps.accounts.principals import Principal
from apps.common import hub
from apps.common.sockets import Socket, bearer_of, in_thread
from apps.live.topics import may_watch

log = logging.getLogger(__name__)

MAX_CHARACTERS = 4096  # of what a browser says at once
MAX_TOPICS = 200
ASK_AGAIN_SECONDS = 60.0  # if the word that somebody's access has changed was lost

TOO_LARGE = 1009
UNREADABLE = 4400
UNAUTHENTICATED = 4401
SESSION_OVER = 4403  # come again: a page that changed its password has a new session


class Wish(msgspec.Struct):
    """All that a browser may say."""

    watch: str | None = None
    since: int | None = None
    unwatch: str | None = None


class LiveConsumer(Socket):
    """One socket per tab or program. It names the topics it watches; the hub delivers."""

    principal: Principal
    inbox: hub.Inbox | None = None

    async def websocket_connect(self, message: dict[str, Any]) -> None:
        self._bearer = bearer_of(self.scope)
        principal = await self._authenticate()
        await self.accept()
        if principal is None:
            await self.close(UNAUTHENTICATED)  # only after accepting can a browser read the code
            return
        self.principal = principal
        self.inbox = hub.here().open(self._send_text)
        self._due = asyncio.Event()
        self._word = hub.here().open(self._told)
        self._word.watch(f"access.{principal.id}")
        self._asking = asyncio.create_task(self._ask_again(self.inbox))

    async def websocket_receive(self, message: dict[str, Any]) -> None:
        if self.inbox is None:
            return
        text: str | None = message.get("text")
        if text is not None and len(text) > MAX_CHARACTERS:
            await self.close(TOO_LARGE)
            return
        match _read(text):
            case Wish(watch=str(topic), since=since, unwatch=None):
                await self._watch(self.inbox, topic, since)
            case Wish(watch=None, since=None, unwatch=str(topic)):
                self.inbox.unwatch(topic)
            case _:
                await self.close(UNREADABLE)

    async def ended(self) -> None:
        if self.inbox is not None:
            self._asking.cancel()
            with suppress(asyncio.CancelledError):
                await self._asking
            await self._word.close()
            await self.inbox.close()

    async def _authenticate(self) -> Principal | None:
        if self._bearer is not None:
            principal: Principal | None = await in_thread(principal_of_bearer)(self._bearer)
            return principal
        user = self.scope.get("user")
        return user if isinstance(user, User) else None

    async def _ask_again(self, inbox: hub.Inbox) -> None:
        """Tokens end and people leave projects while their sockets stay open."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), ASK_AGAIN_SECONDS)
            self._due.clear()
            topics = sorted(inbox.topics)
            try:
                lost = await in_thread(_lost)(self.principal, self._proof, topics)
            except (DatabaseError, InterfaceError) as error:
                log.warning("who may watch cannot be asked: %s", error)
                continue
            if lost is None:
                await self.close(SESSION_OVER if self._bearer is None else UNAUTHENTICATED)
                return
            for topic in lost:
                inbox.unwatch(topic)
                inbox.put(_refusal(topic, "not_found"))

    async def _told(self, text: str) -> None:
        """Word that what the principal may see has changed, or may have before it was listened."""
        self._due.set()

    @property
    def _proof(self) -> Callable[[], Principal | None]:
        if self._bearer is not None:
            return partial(principal_of_bearer, self._bearer)
        return partial(person_of_session, self.scope["session"].session_key or "")

    async def _watch(self, inbox: hub.Inbox, topic: str, since: int | None) -> None:
        if topic not in inbox.topics and len(inbox.topics) >= MAX_TOPICS:
            inbox.put(_refusal(topic, "too_many_topics", most=MAX_TOPICS))
        elif await in_thread(may_watch)(self.principal, topic):
            inbox.watch(topic, since)
        else:
            inbox.put(_refusal(topic, "not_found"))

    async def _send_text(self, text: str) -> None:
        await self.send({"type": "websocket.send", "text": text})


def _lost(
    principal: Principal, proof: Callable[[], Principal | None], topics: list[str]
) -> list[str] | None:
    """Those of the topics that somebody may no longer watch; None if they are nobody any more."""
    if (now := proof()) is None or now.id != principal.id:
        return None
    return [topic for topic in topics if not may_watch(principal, topic)]


def _read(text: str | None) -> Wish | None:
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=Wish)
    except msgspec.DecodeError:
        return None


def _refusal(topic: str, code: str, **params: Any) -> str:
    refusal = {"refused": topic[:100], "code": code, "params": params}
    return msgspec.json.encode(refusal).decode()
