from datetime import datetime

from django.db.models import QuerySet

from apps.accounts import credentials
from apps.accounts.models import Token, User
from apps.accounts.principals import Principal, RunPrincipal
from apps.common.errors import DomainError


class TokenUnknown(DomainError):
    """The bearer token is not one of this installation."""

    status = 401


class TokenRevoked(DomainError):
    """The token was revoked, or its owner may no longer sign in."""

    status = 401


class TokenExpired(DomainError):
    """The token's time is over."""

    status = 401


def token_of(text: str, *, at: datetime) -> Token:
    """The living token that this text stands for.

    Why a token is refused is told only to whoever holds its secret.
    """
    credential = credentials.parse(text)
    if credential is None:
        raise TokenUnknown
    token = Token.objects.select_related("user").filter(pk=credential.token_id).first()
    if token is None or not credentials.matches(credential.secret, token.secret_sha256):
        raise TokenUnknown
    if token.revoked_at is not None or (token.user is not None and not token.user.is_active):
        raise TokenRevoked
    if token.expires_at <= at:
        raise TokenExpired(at=token.expires_at.isoformat())
    return token


def principal_of(token: Token) -> Principal:
    """Who speaks with this token."""
    if token.user is not None:
        return token.user
    assert token.run_id is not None  # held by a constraint of the table
    assert token.project_id is not None
    return RunPrincipal(run_id=token.run_id, project_id=token.project_id)


def tokens_of(user: User) -> QuerySet[Token]:
    """A person's tokens, expired ones included, revoked ones not."""
    return Token.objects.filter(user=user, revoked_at=None)


def user_named(username: str) -> User | None:
    return User.objects.filter(username=username, is_active=True).first()


def users() -> QuerySet[User]:
    return User.objects.all()


def first_operator() -> User | None:
    """Whoever has run the installation longest."""
    return User.objects.filter(is_operator=True, is_active=True).order_by("date_joined").first()
