"""Who is asking: a bearer token or a browser's session, nothing else."""

from importlib import import_module

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest
from django.utils import timezone
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from apps.accounts import selectors, services
from apps.accounts.models import Token, User
from apps.accounts.principals import Principal
from apps.common.errors import DomainError


class CsrfRefused(DomainError):
    """A browser's write came without the token that proves the page is ours."""

    status = 403


class BearerAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer dh_...`, of a person or of a run; never in the URL."""

    def authenticate(self, request: Request) -> tuple[Principal, Token] | None:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        at = timezone.now()
        token = selectors.token_of(text.strip(), at=at)
        services.note_use(token=token, at=at)
        return selectors.principal_of(token), token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="datahall"'


class SessionAuthentication(authentication.SessionAuthentication):
    """A browser's cookie, with Django's CSRF token on every write."""

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except exceptions.PermissionDenied as error:
            raise CsrfRefused from error


def person_of_session(key: str) -> User | None:
    """Whose session this is; None if it has ended, or its person may not sign in."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    user = get_user(request)
    return user if isinstance(user, User) else None


def principal_of_bearer(raw: str) -> Principal | None:
    """Who speaks with this token; None if it is not a living one."""
    try:
        return selectors.principal_of(selectors.token_of(raw, at=timezone.now()))
    except DomainError:
        return None
