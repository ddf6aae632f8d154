"""Every route says what it needs, and lets nobody in unasked."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.converters import get_converters
from rest_framework.viewsets import ViewSetMixin

from apps.accounts.permissions import Access, DeclaredViewSet
from apps.common.api import IdempotentCreateMixin
from apps.projects.models import Role

# what a stranger may call: is it alive, the ways in, the page that shows them, what is not there
OPEN = {
    "healthz",
    "readyz",
    "sign-in/<str:secret>",
    "",
    "^(?:api|agent|live|transfer|static|assets)(?:/|$)",
}
# a node's way in: it has nothing but a join token, or its key's signature of a challenge
NODE_DOORS = {"agent/v1/join", "agent/v1/challenge", "agent/v1/token"}
# these answer with a secret, which is not kept to be answered again
SECRETS = {
    "api/v1/tokens",
    "api/v1/users",
    "api/v1/nodes/join-tokens",
    "api/v1/projects/<slug:slug>/endpoints/<str:ref>/keys",
}
# the only route of which one method is open, and which (see TestSession)
SIGN_IN = ("api/v1/session", "post")


def routes(
    patterns: list[URLPattern | URLResolver] | None = None, before: str = ""
) -> Iterator[tuple[str, URLPattern]]:
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        path = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, path)
        else:
            yield path, pattern


def concrete(path: str) -> str:
    """A path with something in the place of every parameter."""
    samples = {"uuid": str(uuid4()), "int": "1"}
    for name in (*get_converters(), ""):
        while (start := path.find(f"<{name}:" if name else "<")) >= 0:
            path = path[:start] + samples.get(name, "x") + path[path.index(">", start) + 1 :]
    return f"/{path}"


GUARDED = [(path, pattern) for path, pattern in routes() if path not in OPEN | NODE_DOORS]
VIEWSETS = [
    (path, pattern.callback)
    for path, pattern in GUARDED
    if issubclass(getattr(pattern.callback, "cls", object), ViewSetMixin)
]


def test_there_are_routes() -> None:
    assert len(VIEWSETS) > 5


@pytest.mark.parametrize(("path", "view"), VIEWSETS, ids=[path for path, _ in VIEWSETS])
class TestViewsets:
    def test_say_what_every_action_needs(self, path: str, view: object) -> None:
        kind, actions = view.cls, set(view.actions.values())  # type: ignore[attr-defined]

        assert issubclass(kind, DeclaredViewSet)
        assert actions <= set(kind.needs)
        assert all(isinstance(needed, Role | Access) for needed in kind.needs.values())

    def test_of_a_project_need_a_role_in_it(self, path: str, view: object) -> None:
        wanted = Role if "projects/<slug:slug>" in path else Access

        needs = view.cls.needs  # type: ignore[attr-defined]
        assert {type(needed) for needed in needs.values()} == {wanted}

    def test_make_one_thing_of_a_request_sent_twice(self, path: str, view: object) -> None:
        kind, actions = view.cls, view.actions  # type: ignore[attr-defined]
        if "create" not in actions.values() or path in SECRETS:
            return

        assert issubclass(kind, IdempotentCreateMixin)
        assert kind.mro().index(IdempotentCreateMixin) < kind.mro().index(DeclaredViewSet)


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
@pytest.mark.parametrize("path", [path for path, _ in GUARDED])
def test_nobody_comes_in_without_saying_who_they_are(path: str, method: str) -> None:
    if (path, method) == SIGN_IN:
        return
    answer = getattr(Client(), method)(concrete(path), content_type="application/json")

    assert answer.status_code in (401, 404), answer.content
