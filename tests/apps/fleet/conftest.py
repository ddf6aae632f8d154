from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery

from apps.common import hub
from apps.fleet import dispatch
from controlplane import celery as control
from tests.apps.fleet.brokers import Broker


@pytest.fixture(autouse=True)
def installation(settings, tmp_path) -> None:
    """Nodes are given a way to the broker, and the signing key is this test's own."""
    settings.NODE_BROKER_URL = settings.REDIS_URL
    settings.SIGNING_KEY_FILE = tmp_path / "signing.key"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What watchers are told, in place of telling them."""
    messages: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(hub, "tell", lambda topic, message: messages.append((topic, message)))
    return messages


@pytest.fixture
def broker(tmp_path) -> Iterator[Broker]:
    """A broker of the test's own, running."""
    own = Broker(tmp_path)
    own.start()
    yield own
    own.stop()


@pytest.fixture
def publisher(broker: Broker, settings, monkeypatch) -> Iterator[Celery]:
    """The control plane's Celery app, pointed at the test's own broker, with short patience."""
    monkeypatch.setitem(dispatch.PATIENCE, "socket_timeout", 0.5)
    settings.NODE_BROKER_URL = broker.node_url
    before = control.app
    app = Celery("control", broker=broker.url, set_as_current=False)
    app.conf.task_ignore_result = True
    app.set_current()
    app.set_default()
    yield app
    app.close()
    before.set_current()
    before.set_default()
