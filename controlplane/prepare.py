"""Set an installation up, or find it set up: `python -m controlplane.prepare --token-file F`.

Prints one line of JSON with what its starter needs to let the operator and this machine's agent in.
"""

import argparse
import json
import os
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings.embedded")
django.setup()

from django.conf import settings  # noqa: E402  what follows needs Django set up
from django.utils import timezone  # noqa: E402

from apps.accounts import selectors  # noqa: E402
from apps.accounts import services as accounts  # noqa: E402
from apps.accounts.models import User  # noqa: E402
from apps.accounts.scopes import Scope  # noqa: E402
from apps.common.actors import SYSTEM  # noqa: E402
from apps.common.errors import DomainError  # noqa: E402
from apps.fleet import services as fleet  # noqa: E402
from apps.projects import services as projects  # noqa: E402

OPERATOR_NAME = "operator"
TOKEN_NAME = "datahall up"
TOKEN_LIFETIME = timedelta(days=365)
RENEW_BEFORE = timedelta(days=30)  # so that an installation may run for that long


@dataclass(frozen=True)
class Prepared:
    """What the starter of an installation is told."""

    token: str
    sign_in_url: str
    join_token: str | None
    password: None = None  # the operator has none until they choose one


def prepare(*, token_file: Path, with_join_token: bool, at: datetime) -> Prepared:
    """Make what is missing: operator, default project, signing key, token. Safe to repeat."""
    operator = selectors.first_operator() or accounts.create_user(
        username=OPERATOR_NAME, is_operator=True, actor=SYSTEM, at=at
    )
    projects.ensure_default(owner=operator, at=at)
    fleet.ensure_signing_key()
    join_token = None
    if with_join_token:
        _, join_token = fleet.create_join_token(created_by=operator, actor=SYSTEM, at=at)
    return Prepared(
        token=_kept_token(token_file, at=at) or _new_token(token_file, operator, at=at),
        sign_in_url=settings.PUBLIC_URL + accounts.create_sign_in_link(user=operator, at=at),
        join_token=join_token,
    )


def _kept_token(file: Path, *, at: datetime) -> str | None:
    """The token of an earlier start, while it is good for long enough."""
    try:
        text = file.read_text().strip()
        token = selectors.token_of(text, at=at + RENEW_BEFORE)
    except (FileNotFoundError, DomainError):
        return None
    return text if token.user and token.user.is_operator else None


def _new_token(file: Path, operator: User, *, at: datetime) -> str:
    _, text = accounts.create_token(
        user=operator,
        name=TOKEN_NAME,
        scopes=list(Scope),
        expires_at=at + TOKEN_LIFETIME,
        actor=SYSTEM,
        at=at,
    )
    _write_private(file, text)
    return text


def _write_private(file: Path, text: str) -> None:
    """Written whole or not at all, and never readable by others, not even for a moment."""
    draft = file.with_name(f"{file.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(descriptor)
    draft.rename(file)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m controlplane.prepare", description=__doc__)
    parser.add_argument(
        "--token-file", type=Path, required=True, help="where the operator's API token is kept"
    )
    parser.add_argument(
        "--no-join-token",
        action="store_true",
        help="do not invite a node: this machine's agent has joined already",
    )
    options = parser.parse_args()
    prepared = prepare(
        token_file=options.token_file,
        with_join_token=not options.no_join_token,
        at=timezone.now(),
    )
    sys.stdout.write(json.dumps(vars(prepared)) + "\n")


if __name__ == "__main__":
    main()
