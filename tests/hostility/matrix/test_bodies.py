"""What a body or a query may name, and what it may not set."""

import json
import re
from collections import Counter
from typing import Any
from uuid import uuid4

import pytest

from tests.hostility.matrix.bodies import BODIES, PROJECT, evaluate, script, train
from tests.hostility.matrix.declared import WHO, needs
from tests.hostility.matrix.test_routes import around, filled
from tests.hostility.matrix.world import CANARY, World

pytestmark = pytest.mark.django_db

# what nobody sets: whose it is, what it became, who made it, how far it reaches
PROTECTED = {
    "id": str(uuid4()),
    "pk": 1,
    "project": "canary-project",
    "project_id": str(uuid4()),
    "organisation": "canary-org",
    "owner": "stranger",
    "user": "stranger",
    "user_id": str(uuid4()),
    "created_by": "stranger",
    "created_at": "2020-01-01T00:00:00Z",
    "holder": str(uuid4()),
    "is_staff": True,
    "is_superuser": True,
    "state": "succeeded",
    "status": "ready",
    "fence": 1,
    "attempt": 1,
    "run_id": str(uuid4()),
    "node": str(uuid4()),
    "number": 99,
    "expires_at": "2099-01-01T00:00:00Z",
    "revoked_at": None,
    "secret_sha256": "0" * 64,
    "actor": "system",
}
TAKES_BODY = [
    (method, path)
    for method, path in BODIES
    if path.startswith("api/") and method in ("POST", "PUT", "PATCH")
]


def who_may(path: str, method: str) -> Any:
    return WHO["operator" if needs()[path][method] == "operator" else "owner"]


@pytest.mark.parametrize(("method", "path"), TAKES_BODY, ids=[" ".join(one) for one in TAKES_BODY])
def test_no_write_sets_what_is_not_its_to_set(
    world: World, method: str, path: str, record_cells: Counter[str]
) -> None:
    who, good = who_may(path, method), BODIES[method, path](world)
    address, wrong = filled(world, path, who), []
    before = world.ask(who, method, address, good if good is not None else {})
    assert before.status in (200, 201, 202, 204, 409), before
    for name, value in PROTECTED.items():
        answer = world.ask(who, method, address, {**(good or {}), name: value})
        record_cells["protected fields"] += 1
        if good is None:  # takes no body at all: the field is not even read
            if shape(answer.text) != shape(before.text) or answer.status != before.status:
                wrong.append(f"{name}: {answer}, without it {before}")
        elif (answer.status, answer.code) != (400, "input_refused") or name not in answer.text:
            wrong.append(f"{name}: {answer}")
    assert not wrong, "\n".join([f"{method} /{path}", *wrong])


def shape(text: str) -> str:
    """An answer without what differs each time."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|20\d\d-[^\"]*|dh\w*_\w+_?[\w-]*", "*", text)
    return re.sub(r"sign-in/[\w-]+|[\w-]{40,}|/transfer/[^\"]*", "*", text)


# --- what belongs to another project -------------------------------------------------------------

# where a write names something: with the thing of the other organisation, and one that never was
NAMED = {
    "a job's dataset": ("jobs", train, "dataset", "dataset"),
    "a job's dataset by version": ("jobs", train, "dataset", "dataset@"),
    "a job's dataset by id": ("jobs", train, "dataset", "dataset_version"),
    "a job's code": ("jobs", script, "code", "upload"),
    "a job's code by digest": ("jobs", script, "code", "digest"),
    "an evaluation's model": ("jobs", evaluate, "model", "model"),
    "an evaluation's model by version": ("jobs", evaluate, "model", "model@"),
    "an evaluation's model by id": ("jobs", evaluate, "model", "model_version"),
    "an evaluation's dataset": ("jobs", evaluate, "dataset", "dataset_version"),
    "a preview's dataset": ("jobs/preview", train, "dataset", "dataset_version"),
    "a preview's model": ("jobs/preview", evaluate, "model", "model_version"),
    "an endpoint's model": (
        "endpoints",
        BODIES["POST", PROJECT + "endpoints"],
        "model",
        "model_version",
    ),
    "an endpoint's model by name": (
        "endpoints",
        BODIES["POST", PROJECT + "endpoints"],
        "model",
        "model",
    ),
    "a deployment's model": (
        "endpoints/ours-door/deploy",
        BODIES["POST", PROJECT + "endpoints/<str:ref>/deploy"],
        "model",
        "model_version",
    ),
    "a script's input": (
        "jobs",
        lambda world: script(world) | {"inputs": [{"dataset": "HERE"}]},
        "inputs",
        "dataset_version",
    ),
    "a dataset's file": (
        "datasets",
        lambda world: {"name": "new", "files": [{"upload": "HERE", "path": "a"}]},
        "files",
        "upload",
    ),
    "a job to stop": ("jobs/stop", lambda world: {"ids": ["HERE"]}, "ids", "job"),
}


@pytest.mark.parametrize("name", ["member", "maintainer", "owner", "run"])
@pytest.mark.parametrize("what", NAMED)
def test_a_body_that_names_what_is_another_projects_names_nothing(
    world: World, what: str, name: str, record_cells: Counter[str]
) -> None:
    path, good, field, thing = NAMED[what]
    theirs, answers = foreign(world, thing), []
    for text in (theirs, never(theirs)):
        body = good(world)
        body[field] = json.loads(json.dumps(body[field]).replace("HERE", text))
        if "HERE" not in json.dumps(good(world)):
            body[field] = text
        address = f"/api/v1/projects/{world.ours.project.slug}/{path}"
        answer = world.ask(WHO[name], "POST", address, body)
        answers.append((answer.status, answer.text.replace(text.removesuffix("@1"), "*")))
    record_cells["foreign in bodies"] += 1

    assert answers[0] == answers[1], f"{what}: {answers[0]}, of one that never was: {answers[1]}"
    assert what == "a job to stop" or answers[0][0] in (404, 422), answers[0]


FILTERS = {
    "jobs": [
        ("dataset", "dataset"),
        ("dataset_version", "dataset_version"),
        ("model", "model"),
        ("submitted_by", "owner"),
        ("search", "dataset"),
        ("ordering", "ordering"),
    ],
    "audit": [("actor_id", "owner_id"), ("object_id", "job"), ("actor", "owner")],
    "search": [("q", "dataset"), ("q", "model"), ("q", "endpoint")],
}


@pytest.mark.parametrize("path", FILTERS)
def test_a_filter_finds_nothing_of_another_project(
    world: World, path: str, record_cells: Counter[str]
) -> None:
    for parameter, thing in FILTERS[path]:
        text = "-created_at" if thing == "ordering" else foreign(world, thing)
        for name in ("maintainer", "owner"):
            address = f"/api/v1/projects/{world.ours.project.slug}/{path}?{parameter}={text}"
            answer = world.ask(WHO[name], "GET", address)
            record_cells["foreign in queries"] += 1
            if answer.status == 422:  # what is asked for by a name that is no name here
                nobodys = world.ask(WHO[name], "GET", address.replace(text, never(text)))
                assert answer.text.replace(text, "*") == nobodys.text.replace(never(text), "*")
                continue
            assert answer.status == 200, answer
            assert CANARY not in answer.text, around(answer.text, CANARY)
            assert thing == "ordering" or json.loads(answer.text)["results"] == []


def test_a_cursor_of_another_list_leads_nowhere(world: World) -> None:
    theirs = f"/api/v1/projects/{world.theirs.project.slug}/jobs"
    cursor = json.loads(world.ask(WHO["stranger"], "GET", f"{theirs}?limit=1").text)["next"]
    assert cursor

    ours = f"/api/v1/projects/{world.ours.project.slug}/jobs?"
    ours += cursor.partition("?")[2] or f"cursor={cursor}"
    answer = world.ask(WHO["owner"], "GET", ours)
    assert CANARY not in answer.text


def test_a_token_made_with_a_token_reaches_no_further(world: World) -> None:
    for who, scopes, days, code in (
        ("owner", ["admin"], 1, "scope_not_yours"),
        ("operator, to write", ["admin"], 1, "scope_not_yours"),
        ("owner", ["read"], 31, "token_lifetime_refused"),
        ("owner, to read", ["read"], 1, "scope_needed"),
    ):
        body = {"name": "t", "scopes": scopes, "expires_in_days": days}
        assert world.ask(WHO[who], "POST", "/api/v1/tokens", body).code == code


def foreign(world: World, thing: str) -> str:
    theirs = world.theirs
    assert theirs.upload.artifact
    return str(
        {
            "dataset": theirs.dataset,
            "dataset@": f"{theirs.dataset}@1",
            "dataset_version": theirs.dataset_version,
            "model": theirs.model,
            "model@": f"{theirs.model}@1",
            "model_version": theirs.model_version,
            "upload": theirs.upload.id,
            "digest": theirs.upload.artifact.digest,
            "job": theirs.waiting.id,
            "endpoint": theirs.endpoint.name,
            "owner": theirs.owner.username,
            "owner_id": theirs.owner.id,
        }[thing]
    )


def never(text: str) -> str:
    """Of the same form, and nobody's."""
    if re.fullmatch(r"[0-9a-f-]{36}", text):
        return str(uuid4())
    return "0" * 64 if len(text) == 64 else text.replace(CANARY, "nobody")
