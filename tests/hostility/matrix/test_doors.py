"""The doors below Django: bytes by ticket, predictions by key, token or run."""

import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
from django.db import transaction
from django.utils import timezone

from apps.artifacts import tickets
from apps.artifacts.tickets import Ticket
from controlplane import gateway
from tests.apps.artifacts import server as transfer
from tests.apps.serving.gateway import server as predictions
from tests.apps.serving.gateway.make import key
from tests.hostility.matrix.declared import WHO
from tests.hostility.matrix.world import World

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


# --- predictions ---------------------------------------------------------------------------------

# who may call an endpoint: a program's cookie proves nothing at this door
MAY_CALL = {
    "anonymous": "401 key_needed",
    "token altered": "401 token_unknown",
    "token revoked": "401 token_revoked",
    "token expired": "401 token_expired",
    "token of a person shut out": "401 token_revoked",
    "token in the query": "401 key_needed",
    "endpoint key": "allowed",
    "run over": "401 token_revoked",
    "stranger": "404 not_found",
    "former owner": "404 not_found",
    "viewer": "403 role_needed",
    "member": "allowed",
    "maintainer": "allowed",
    "owner": "allowed",
    "owner, to read": "403 scope_needed",
    "owner in a browser": "401 key_needed",
    "owner in a foreign page": "401 key_needed",
    "operator": "404 not_found",
    "operator, to write": "404 not_found",
    "run": "allowed",
    "run of another project": "404 not_found",
    "node": "401 token_unknown",
    "other node": "401 token_unknown",
    "node removed": "401 token_unknown",
    "node's bearer expired": "401 token_unknown",
}
PAST = "503 no_replica_ready"  # nothing serves here: who hears that got past every question


@pytest.mark.django_db(transaction=True)
def test_predictions_are_for_whom_they_are_declared(
    settings: Any, tmp_path: Path, record_cells: Counter[str]
) -> None:
    assert set(MAY_CALL) == set(WHO), "declare in MAY_CALL who of these may call an endpoint"
    settings.ARTIFACTS_DIR, settings.SIGNING_KEY_FILE = tmp_path, tmp_path / "signing.key"
    with transaction.atomic():  # what hears of these rows hears of them when all are there
        world = World()
    ours, theirs = world.ours.endpoint, world.theirs.endpoint
    more = {
        "key revoked": (key(ours, revoked_at=timezone.now())[1], "401 key_revoked"),
        "key expired": (
            key(ours, expires_at=timezone.now() - timedelta(hours=1))[1],
            "401 key_expired",
        ),
        "key of another endpoint": (key(theirs)[1], "404 not_found"),
        "key altered": (_altered(world.ours.key_text), "401 key_unknown"),
        "key of nobody": (_altered(world.ours.key_text, at=10), "401 key_unknown"),
    }
    asked = {name: (world.headers.get(name, {}), says) for name, says in MAY_CALL.items()} | more
    with predictions.serving(gateway.application) as base, httpx.Client(base_url=base) as client:
        for name, (headers, says) in asked.items():
            query = f"?token={text}" if (text := world.queries.get(name)) else ""
            for prefix in ("/v1", "/api/v1"):
                path = f"{prefix}/endpoints/{ours.id}/predict{query}"
                last = client.post(path, headers=headers, json={})
                assert said(last) == (PAST if says == "allowed" else says), (name, path)
            if says in ("allowed", "403 role_needed", "404 not_found"):
                never = client.post(path.replace(str(ours.id), str(uuid4())), headers=headers)
                assert said(never) == "404 not_found", name
                if says == "404 not_found":
                    assert never.text == last.text, name
            for method in METHODS:
                if method != "POST":
                    path = f"/v1/endpoints/{ours.id}/predict"
                    assert client.request(method, path, headers=headers).status_code == 405
            record_cells["predictions"] += 2 + len(METHODS) - 1


def _altered(text: str, at: int = -1) -> dict[str, str]:
    other = "1" if text[at] != "1" else "2"
    end = text[at + 1 :] if at >= 0 else ""
    return {"Authorization": f"Bearer {text[:at]}{other}{end}"}


def said(answer: httpx.Response) -> str:
    return f"{answer.status_code} {answer.json()['code']}"


# --- bytes ---------------------------------------------------------------------------------------


@pytest.fixture
def web(settings: Any, tmp_path: Path) -> Iterator[httpx.Client]:
    settings.ARTIFACTS_DIR = tmp_path
    with transfer.serving() as url, httpx.Client(base_url=url, timeout=20) as client:
        yield client


DATA = b"some bytes"


def ticket(verb: Any, **changes: Any) -> Ticket:
    plain = Ticket(
        verb=verb,
        holder=uuid4(),
        expires=int(time.time()) + 60,
        size=len(DATA),
        digest=transfer.stored(DATA) if verb == "get" else "",
        upload=uuid4() if verb == "put" else None,
    )
    return msgspec.structs.replace(plain, **changes)


def test_a_ticket_is_good_for_its_own_verb(web: httpx.Client, record_cells: Counter[str]) -> None:
    good = {"get": {"GET": 200, "HEAD": 200}, "put": {"HEAD": 200, "PATCH": 204}}
    for verb, verbs in good.items():
        for method in METHODS:
            address = tickets.PREFIX + tickets.write(ticket(verb))
            headers = {"Upload-Offset": "0"} if method == "PATCH" else {}
            body = DATA if method == "PATCH" else b""
            answer = web.request(method, address, headers=headers, content=body)
            assert answer.status_code == verbs.get(method, 405), (verb, method)
            record_cells["tickets"] += 1


@pytest.mark.parametrize("verb", ["get", "put"])
def test_a_ticket_whose_words_were_changed_is_forged(
    web: httpx.Client, verb: str, record_cells: Counter[str]
) -> None:
    real = ticket(verb)
    seal = tickets.write(real).partition(".")[2]
    changes: list[dict[str, Any]] = [
        {"verb": "put" if verb == "get" else "get"},
        {"holder": uuid4()},
        {"expires": real.expires + 3600},
        {"size": 1},
        {"digest": transfer.stored(b"other bytes")},
        {"upload": uuid4()},
        {"filename": "evil.html"},
        {"media_type": "text/html"},
    ]
    method = "GET" if verb == "get" else "HEAD"
    for change in changes:
        body = tickets.write(msgspec.structs.replace(real, **change)).partition(".")[0]
        answer = web.request(method, f"{tickets.PREFIX}{body}.{seal}")
        assert answer.status_code == 403, change
        record_cells["tickets"] += 1


@pytest.mark.parametrize(("verb", "method"), [("get", "GET"), ("put", "HEAD"), ("put", "PATCH")])
def test_a_ticket_past_its_time_is_over_by_every_verb(
    web: httpx.Client, verb: str, method: str, record_cells: Counter[str]
) -> None:
    past = ticket(verb, expires=int(time.time()) - 1)
    answer = web.request(method, tickets.PREFIX + tickets.write(past))
    assert answer.status_code == 403
    record_cells["tickets"] += 1


def test_a_ticket_beside_a_good_token_is_still_needed(web: httpx.Client) -> None:
    answer = web.get(f"{tickets.PREFIX}none", headers={"Authorization": "Bearer dh_x"})
    assert said(answer) == "403 ticket_forged"
