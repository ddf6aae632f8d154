"""Everything that changes people, their tokens and their ways in."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth import SESSION_KEY, authenticate, password_validation
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q

from apps.accounts import credentials
from apps.accounts.events import AccessChanged
from apps.accounts.models import SignInAttempt, SignInLink, Token, User
from apps.accounts.scopes import Scope, covers
from apps.audit import services as audit
from apps.common.actors import SYSTEM, Actor
from apps.common.errors import DomainError, NotFound
from apps.common.events import publish

LONGEST_TOKEN = timedelta(days=366)
LINK_LIFETIME = timedelta(days=1)
USED_AT_GRAIN = timedelta(minutes=1)  # a write per request would make every read a write

ATTEMPTS_WINDOW = timedelta(minutes=1)
ATTEMPTS_PER_NAME = 5
ATTEMPTS_PER_ADDRESS = 30


class TokenLifetimeRefused(DomainError):
    """A token must end in the future, and within the longest lifetime."""

    status = 422


class ScopeNotYours(DomainError):
    """Nobody gives a token more than they have."""

    status = 403


class WrongPassword(DomainError):
    """The name or the password is wrong; which of them is not said."""

    status = 401


class TooManySignIns(DomainError):
    """Too many wrong passwords; wait."""

    status = 429


class SignInLinkRefused(DomainError):
    """The link was used, has expired, or never was one."""

    status = 404


class UsernameTaken(DomainError):
    """Somebody has this name already."""


class LastOperator(DomainError):
    """An installation always has an operator who may sign in."""


class PasswordTooWeak(DomainError):
    """The password breaks the rules for passwords."""

    status = 422


# tokens


@transaction.atomic
def create_token(
    *,
    user: User,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime,
    actor: Actor,
    at: datetime,
    parent: Token | None = None,
) -> tuple[Token, str]:
    """Give a person a token; its text is returned once and never again.

    One made with another token (``parent``) reaches no further and lives no longer than that.
    """
    latest = min(at + LONGEST_TOKEN, parent.expires_at) if parent else at + LONGEST_TOKEN
    if not at < expires_at <= latest:
        raise TokenLifetimeRefused(latest=latest.isoformat())
    wanted = sorted({Scope(scope) for scope in scopes})
    for scope in wanted:
        if (scope is Scope.ADMIN and not user.is_operator) or (
            parent and not covers(parent.scopes, scope)
        ):
            raise ScopeNotYours(scope=scope.value)
    secret = credentials.new_secret()
    token = Token.objects.create(
        user=user,
        name=name,
        secret_sha256=credentials.sha256(secret),
        scopes=[scope.value for scope in wanted],
        expires_at=expires_at,
    )
    audit.record(actor, "token.create", token, name=name, scopes=token.scopes)
    return token, credentials.text_of(credentials.USER_PREFIX, token.id, secret)


@transaction.atomic
def revoke_token(*, user: User, token_id: UUID, actor: Actor, at: datetime) -> None:
    """End a person's token at once; one that is revoked already stays as it is."""
    token = Token.objects.select_for_update().filter(pk=token_id, user=user).first()
    if token is None:
        raise NotFound
    if token.revoked_at is None:
        token.revoked_at = at
        token.save(update_fields=["revoked_at"])
        audit.record(actor, "token.revoke", token, name=token.name)
        publish(AccessChanged(holder=user.id))


def create_run_token(*, run_id: UUID, project_id: UUID, expires_at: datetime, at: datetime) -> str:
    """Give a run its own token, which ends with the run and reaches its project only.

    Asked again, as after a lost answer, it gives another; all of a run's tokens are revoked
    together. What leads to it, the job's submission, is what the audit holds.
    """
    secret = credentials.new_secret()
    token = Token.objects.create(
        run_id=run_id,
        project_id=project_id,
        name="run",
        secret_sha256=credentials.sha256(secret),
        scopes=[Scope.READ.value, Scope.WRITE.value],
        expires_at=expires_at,
    )
    return credentials.text_of(credentials.RUN_PREFIX, token.id, secret)


def revoke_run_tokens(*, run_id: UUID, at: datetime) -> None:
    """End whatever tokens a run has."""
    Token.objects.filter(run_id=run_id, revoked_at=None).update(revoked_at=at)
    publish(AccessChanged(holder=run_id))


def note_use(*, token: Token, at: datetime) -> None:
    """Remember when a token was last used, to the minute."""
    stale = at - USED_AT_GRAIN
    if token.last_used_at is None or token.last_used_at < stale:
        Token.objects.filter(Q(last_used_at=None) | Q(last_used_at__lt=stale), pk=token.pk).update(
            last_used_at=at
        )


# ways in


@transaction.atomic
def create_sign_in_link(*, user: User, at: datetime, actor: Actor = SYSTEM) -> str:
    """The path of a link that signs this person in once, within the day."""
    secret = credentials.new_secret()
    SignInLink.objects.create(
        user=user, secret_sha256=credentials.sha256(secret), expires_at=at + LINK_LIFETIME
    )
    audit.record(actor, "session.link", user)
    return f"/sign-in/{secret}"


@transaction.atomic
def use_sign_in_link(*, secret: str, at: datetime) -> User:
    """Whom the link signs in; it has done so when this returns."""
    unused = SignInLink.objects.filter(
        secret_sha256=credentials.sha256(secret),
        used_at=None,
        expires_at__gt=at,
        user__is_active=True,
    )
    link = unused.select_related("user").select_for_update(of=("self",)).first()
    if link is None:
        raise SignInLinkRefused
    link.used_at = at
    link.save(update_fields=["used_at"])
    audit.record(link.user.actor, "session.open", link.user, by="link")
    return link.user


def check_password(*, username: str, password: str, address: str, at: datetime) -> User:
    """Whom name and password belong to.

    The attempt is written down before the password is looked at, so that asking in parallel gains
    nothing.
    """
    recent = SignInAttempt.objects.filter(address=address, created_at__gt=at - ATTEMPTS_WINDOW)
    SignInAttempt.objects.create(username=username[:150], address=address)
    if (
        recent.filter(username=username[:150]).count() > ATTEMPTS_PER_NAME
        or recent.count() > ATTEMPTS_PER_ADDRESS
    ):
        raise TooManySignIns(seconds=int(ATTEMPTS_WINDOW.total_seconds()))
    user = authenticate(username=username, password=password)
    if not isinstance(user, User):
        raise WrongPassword
    with transaction.atomic():
        SignInAttempt.objects.filter(username=username[:150], address=address).delete()
        audit.record(user.actor, "session.open", user, by="password")
    return user


def note_sign_out(*, user: User) -> None:
    """A session of this person has ended, and what it held open with it."""
    publish(AccessChanged(holder=user.id))


def forget_ways_in(*, before: datetime) -> None:
    """Drop attempts and links that no longer matter."""
    SignInAttempt.objects.filter(created_at__lt=before).delete()
    SignInLink.objects.filter(expires_at__lt=before).delete()


def forget_spent(*, at: datetime, before: datetime) -> int:
    """Drop sessions that are over, and tokens that have been for long; how many."""
    sessions, _ = Session.objects.filter(expire_date__lt=at).delete()
    over = Token.objects.filter(Q(expires_at__lt=before) | Q(revoked_at__lt=before))
    return sessions + over.delete()[0]


# people


@transaction.atomic
def create_user(
    *, username: str, is_operator: bool, actor: Actor, at: datetime, password: str | None = None
) -> User:
    """Add a person; without a password they come in by link."""
    user = User(username=username, is_operator=is_operator, date_joined=at)
    if password is None:
        user.set_unusable_password()
    else:
        _set_password(user, password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError as error:
        raise UsernameTaken(username=username) from error
    audit.record(actor, "user.create", user, username=username, is_operator=is_operator)
    return user


@transaction.atomic
def change_user(
    *,
    user_id: UUID,
    actor: Actor,
    at: datetime,
    is_active: bool | None = None,
    is_operator: bool | None = None,
) -> User:
    """Let a person in or shut them out, make them an operator or not; what is None stays.

    Who is shut out is so at once: sessions, tokens and links end, and are not back when the person
    is let in again. The last operator stays one.
    """
    # all operators' rows: what two of them who shut each other out at once meet at
    operators = set(
        User.objects.select_for_update()
        .filter(is_operator=True, is_active=True)
        .order_by("id")
        .values_list("id", flat=True)
    )
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        raise NotFound
    before = {"is_active": user.is_active, "is_operator": user.is_operator}
    wanted = {"is_active": is_active, "is_operator": is_operator}
    changed = {
        name: value for name, value in wanted.items() if value is not None and value != before[name]
    }
    if not changed:
        return user
    if operators == {user.id} and not all(changed.values()):
        raise LastOperator
    for name, value in changed.items():
        setattr(user, name, value)
    user.save(update_fields=list(changed))
    if changed.get("is_active") is False:
        _shut_out(user, at=at)
    audit.record(actor, "user.change", user, username=user.username, changed=changed)
    return user


def _shut_out(user: User, *, at: datetime) -> None:
    Token.objects.filter(user=user, revoked_at=None).update(revoked_at=at)
    SignInLink.objects.filter(user=user, used_at=None).update(expires_at=at)
    # a session's person is inside its signed data, so all that live are looked through
    for session in Session.objects.filter(expire_date__gt=at).iterator():
        if session.get_decoded().get(SESSION_KEY) == str(user.pk):
            session.delete()
    publish(AccessChanged(holder=user.id))


@transaction.atomic
def change_password(*, user: User, current: str, password: str, actor: Actor) -> User:
    """Set a person's password; who has one must know it."""
    user = User.objects.select_for_update().get(pk=user.pk)
    if user.has_usable_password() and not user.check_password(current):
        raise WrongPassword
    _set_password(user, password)
    user.save(update_fields=["password"])
    audit.record(actor, "user.password", user)
    publish(AccessChanged(holder=user.id))
    return user


@transaction.atomic
def set_language(*, user: User, language: str, actor: Actor) -> User:
    """Remember the language a person reads."""
    user = User.objects.select_for_update().get(pk=user.pk)
    user.language = language
    user.save(update_fields=["language"])
    audit.record(actor, "user.language", user, language=language)
    return user


def _set_password(user: User, password: str) -> None:
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        raise PasswordTooWeak(why=" ".join(error.messages)) from error
    user.set_password(password)
