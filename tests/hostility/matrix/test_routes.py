"""Every route, by every method, for everybody: compared with what is declared."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import pytest

from tests.architecture.test_routes import routes
from tests.hostility.matrix.bodies import BODIES, QUERIES
from tests.hostility.matrix.declared import (
    CATCH_ALL,
    METHODS,
    NOUNS,
    SAFE,
    SHARED,
    WHO,
    Who,
    needs,
    outcome,
)
from tests.hostility.matrix.world import CANARY, Answer, World

pytestmark = pytest.mark.django_db

READS = {200}
WRITES = {200, 201, 202, 204, 400, 409, 415, 422}
JOIN = {200, 401, 403, 422}  # of a node that is not known: the message itself is the proof
ROUTES = {path for path, _ in routes()} - CATCH_ALL
DOCUMENT = Path(__file__).parents[3] / "frontend" / "openapi.yaml"
HOW = "see docs/subsystems/authorisation.md"


# --- what is declared is what there is -----------------------------------------------------------


def test_every_route_is_declared() -> None:
    missing, stale = sorted(ROUTES - set(needs())), sorted(set(needs()) - ROUTES)

    assert not missing, (
        f"declare in tests/hostility/matrix/declared.py who may call {missing}; {HOW}"
    )
    assert not stale, f"these routes are gone; take them out of declared.py: {stale}"


def test_every_method_is_declared() -> None:
    for path, pattern in routes():
        if (actions := getattr(pattern.callback, "actions", None)) is None:
            continue
        there = {method.upper() for method in actions}
        said = set(needs()[path])
        assert there | {"HEAD"} == said | {"HEAD"}, (
            f"{path} has {there}, declared are {said}; {HOW}"
        )


def test_every_noun_and_body_is_declared() -> None:
    for path, methods in needs().items():
        for noun, parameter in nouns_of(path):
            assert noun in NOUNS, f"{path}: say in NOUNS what {parameter} after {noun!r} is; {HOW}"
        for method in set(methods) - set(SAFE):
            assert (method, path) in BODIES, f"{method} {path}: give it a body in bodies.py; {HOW}"


def test_the_openapi_document_has_no_route_that_is_not_walked() -> None:
    text = DOCUMENT.read_text()
    written = [line.strip().rstrip(":") for line in text.splitlines() if line.startswith("  /")]
    walked = {plain(path) for path in needs()}
    beside = {"/api/v1/endpoints/{}/predict"}  # the gateway's, below Django: test_doors.py
    missing = {blank(path) for path in written} - walked - beside

    assert len(written) > 40
    assert not missing, f"documented, but in no row of declared.py: {missing}; {HOW}"


# --- the matrix ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WHO)
def test_everybody_meets_what_is_declared(
    world: World, name: str, record_cells: Counter[str]
) -> None:
    who, wrong = WHO[name], []
    for path in needs():
        for method in METHODS:
            expected = outcome(path, method, who)
            address = filled(world, path, who)
            answer = asked(world, who, method, path, address)
            if problem := differs(world, expected, path, method, who, answer):
                wrong.append(f"{method} /{path}: {expected} is declared, {problem}")
            record_cells["routes"] += 1
    assert not wrong, "\n".join([f"{len(wrong)} wrong for {name}", *wrong])


@pytest.mark.parametrize("name", WHO)
def test_what_is_another_projects_might_as_well_not_be_there(
    world: World, name: str, record_cells: Counter[str]
) -> None:
    who, wrong = WHO[name], []
    for path, methods in needs().items():
        nested = [noun for noun, _ in nouns_of(path) if NOUNS[noun] not in SHARED]
        if not nested or path.startswith("agent/"):
            continue
        for method in methods:
            if method == "HEAD" or outcome(path, method, who) != "allowed":
                continue
            for noun in nested:
                for thing in world.foreign(NOUNS[noun]):
                    never = str(uuid4()) if "-" in thing and len(thing) == 36 else "never-was"
                    ask = [filled(world, path, who, {noun: text}) for text in (thing, never)]
                    answers = [asked(world, who, method, path, address) for address in ask]
                    said = [
                        answer.text.replace(text, "*")
                        for answer, text in zip(answers, (thing, never), strict=True)
                    ]
                    if answers[0].status != 404 or said[0] != said[1]:
                        wrong.append(
                            f"{method} {ask[0]}: {answers[0]}, one that never was: {answers[1]}"
                        )
                    record_cells["foreign"] += 1
    assert not wrong, "\n".join([f"{len(wrong)} wrong for {name}", *wrong])


@pytest.mark.parametrize("name", WHO)
def test_an_unknown_path_is_not_there_for_anybody(
    world: World, name: str, record_cells: Counter[str]
) -> None:
    for path in ("/api/v1/none", "/agent/v1/none", "/api/v2/projects", "/transfer", "/live"):
        for method in METHODS:
            answer = world.ask(WHO[name], method, path)
            assert answer.status == 404, (method, path, answer)
            record_cells["unknown"] += 1


@pytest.mark.parametrize("name", WHO)
def test_a_node_shows_nothing_of_a_project_that_the_reader_is_not_in(
    world: World, name: str, record_cells: Counter[str]
) -> None:
    for path in ("workloads", "workloads?state=live", "events", "series", ""):
        address = f"/api/v1/nodes/{world.other_node.id}/{path}".rstrip("/")
        answer = world.ask(WHO[name], "GET", address)
        shown = name in ("stranger",)  # theirs: who is in it sees it
        assert shown or CANARY not in answer.text, around(answer.text, CANARY)
        record_cells["node"] += 1


# --- one cell ------------------------------------------------------------------------------------


def asked(world: World, who: Who, method: str, path: str, address: str) -> Answer:
    """A request with a body that its route would take."""
    body = BODIES[method, path](world) if (method, path) in BODIES else None
    if body is None and method not in (*SAFE, "DELETE"):
        body = {}
    return world.ask(who, method, address, body)


def differs(world: World, expected: str, path: str, method: str, who: Who, answer: Answer) -> str:
    """What is wrong with an answer; empty if nothing is."""
    status = answer.status
    match expected:
        case "allowed" if path == "sign-in/<str:secret>":
            good = status == 404  # there is no such link
        case "allowed" if needs()[path].get(method) == "join":
            good = status in JOIN
        case "allowed":
            good = status in (READS if method in SAFE else WRITES)
        case "no verb":
            good = status == 405 or (status == 403 and method not in SAFE)
        case "gone":
            never = "" if method == "HEAD" else world.never_there(who)
            good = status == 404 and answer.text == never
        case "fenced":
            good = status in (404, 409) or json.loads(answer.text).get("answer") == "no"
        case _ if method == "HEAD":
            good = expected.startswith(str(status))
        case _:
            good = str(answer) == expected
    if good and who.rank and CANARY in answer.text:
        return f"its answer shows another project's: {around(answer.text, CANARY)}"
    return "" if good else f"got {answer}"


def around(text: str, word: str) -> str:
    at = text.index(word)
    return text[max(0, at - 60) : at + 40]


# --- addresses -----------------------------------------------------------------------------------


def nouns_of(path: str) -> Iterator[tuple[str, str]]:
    """Each parameter of a path with the segment before it."""
    parts = path.split("/")
    for before, part in pairwise(parts):
        if part.startswith("<"):
            yield before, part


def filled(world: World, path: str, who: Who, instead: dict[str, str] | None = None) -> str:
    parts = path.split("/")
    given = instead or {}
    for index, part in enumerate(parts):
        if part.startswith("<"):
            noun = parts[index - 1]
            parts[index] = given.get(noun) or world.own(NOUNS[noun], who)
    return "/" + "/".join(parts) + QUERIES.get(path, "")


def plain(path: str) -> str:
    return blank("/" + path.replace("<", "{").replace(">", "}")).rstrip("/")


def blank(path: str) -> str:
    """A path whose parameters have no names."""
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))
