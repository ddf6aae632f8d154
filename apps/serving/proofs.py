"""Who may call an endpoint: a key of it, a token with ``write``, a run, or a person on a page."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.http.request import validate_host
from django.utils import timezone

from apps.accounts import credentials
from apps.accounts import selectors as accounts
from apps.accounts import services as account_services
from apps.accounts.authentication import person_of_session
from apps.accounts.permissions import ScopeNeeded
from apps.accounts.principals import Principal
from apps.accounts.scopes import Scope, covers
from apps.common.errors import DomainError, NotFound
from apps.common.sockets import in_thread
from apps.projects import selectors as projects
from apps.projects.models import Role
from apps.projects.selectors import RoleNeeded
from apps.serving.routing import KeyRoute, Route, Table

GOOD_SECONDS = 2.0  # how long a person's or a run's access is not asked for again
MAX_REMEMBERED = 4096


class KeyNeeded(DomainError):
    """The request proves nothing."""

    status = 401


class KeyUnknown(DomainError):
    """No such key, or not with this secret."""

    status = 401


class KeyRevoked(DomainError):
    """The key was taken back."""

    status = 401


class KeyExpired(DomainError):
    """The key's time is over."""

    status = 401


class OriginRefused(DomainError):
    """A browser sent its cookie for a page that is not ours."""

    status = 403


def known_key(text: str, table: Table) -> KeyRoute | None:
    """The key whose secret this text proves."""
    said = credentials.parse(text, credentials.KEY_PREFIX)
    key = table.keys.get(said.token_id.hex) if said else None
    if said is None or key is None or not credentials.matches(said.secret, key.secret_sha256):
        return None
    return key


def check_key(key: KeyRoute, route: Route | None, *, now: float) -> None:
    """Refuse a key that is not good for this endpoint; why is told only to its holder."""
    if route is None or key.endpoint_id != route.id:
        raise NotFound
    if key.revoked:
        raise KeyRevoked
    if key.expires_at <= now:
        raise KeyExpired


class Access:
    """Asks the database who somebody is and what they may do, and remembers it for a moment."""

    def __init__(self) -> None:
        self._asked: dict[tuple[bytes, UUID | None], tuple[float, asyncio.Task[None]]] = {}

    async def check_token(self, text: str, route: Route | None) -> None:
        await self._check(b"token:" + text.encode(), route, lambda: _principal_of_token(text))

    async def check_session(self, cookie: str, origin: str, host: str, route: Route | None) -> None:
        """A cookie counts only together with the word of the browser that the page is ours: of the
        very host and port that was asked, for cookies are shared by all ports of a host."""
        try:
            page = urlsplit(origin)
            ours = validate_host((page.hostname or "").lower(), settings.ALLOWED_HOSTS)
        except ValueError:  # no address at all
            raise OriginRefused from None
        if origin not in settings.CSRF_TRUSTED_ORIGINS and not (ours and page.netloc == host):
            raise OriginRefused
        session = session_key(cookie)
        if not session:
            raise KeyNeeded
        await self._check(
            b"session:" + session.encode(), route, lambda: _principal_of_session(session)
        )

    async def _check(self, proof: bytes, route: Route | None, who: Callable[[], Principal]) -> None:
        project_id = route.project_id if route else None
        name = (hashlib.sha256(proof).digest(), project_id)
        now = time.monotonic()
        good_until, task = self._asked.get(name, (0.0, None))
        if task is None or good_until < now:
            if len(self._asked) >= MAX_REMEMBERED:
                self._asked = {n: kept for n, kept in self._asked.items() if kept[0] >= now}
            task = asyncio.create_task(in_thread(_may_call)(who, project_id))
            self._asked[name] = (now + GOOD_SECONDS, task)
        try:
            await asyncio.shield(task)
        except (DatabaseError, InterfaceError):
            self._asked.pop(name, None)
            raise


def _may_call(who: Callable[[], Principal], project_id: UUID | None) -> None:
    principal = who()
    role = projects.role_of(principal, project_id) if project_id else None
    if role is None:
        raise NotFound
    if role.rank < Role.MEMBER.rank:
        raise RoleNeeded(role=Role.MEMBER.value, yours=role.value)


def _principal_of_token(text: str) -> Principal:
    at = timezone.now()
    token = accounts.token_of(text, at=at)
    if not covers(token.scopes, Scope.WRITE):
        raise ScopeNeeded(scope=Scope.WRITE.value)
    account_services.note_use(token=token, at=at)
    return accounts.principal_of(token)


def _principal_of_session(session: str) -> Principal:
    user = person_of_session(session)
    if user is None:
        raise KeyNeeded
    return user


def session_key(cookie: str) -> str:
    """The session named by a Cookie header; "" if there is none."""
    try:
        morsel = SimpleCookie(cookie).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        return ""
    return morsel.value if morsel else ""
