from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from apps.serving.models import Endpoint
from controlplane import gateway
from tests.apps.serving.gateway.make import BODY
from tests.apps.serving.gateway.replica import Replica
from tests.apps.serving.gateway.server import serving


class Caller:
    """Calls endpoints of a running gateway."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.client = httpx.Client(base_url=base, timeout=30)
        self._pool = ThreadPoolExecutor(32)

    def __call__(
        self, endpoint: Endpoint | str, headers: Any, body: Any = BODY, **options: Any
    ) -> httpx.Response:
        id = endpoint if isinstance(endpoint, str) else endpoint.id
        given = {"json": body} if "content" not in options else {}
        return self.client.post(
            f"/v1/endpoints/{id}/predict",
            headers={**headers, **options.pop("more", {})},
            **given,
            **options,
        )

    def soon(self, *args: Any, **kwargs: Any) -> "Future[httpx.Response]":
        """The same from a thread."""
        return self._pool.submit(self, *args, **kwargs)

    def close(self) -> None:
        self._pool.shutdown()
        self.client.close()


@pytest.fixture
def impatient(settings: Any) -> None:
    """Ask for it before ``predict``: a gateway that waits for no body."""
    settings.GATEWAY_BODY_SECONDS = 0.05


@pytest.fixture
def cramped(settings: Any) -> None:
    """Ask for it before ``predict``: a gateway that holds 1000 bytes of bodies."""
    settings.GATEWAY_HELD_BYTES = 1000


@pytest.fixture
def predict(transactional_db: None) -> Iterator[Caller]:
    """A running gateway. Ask for it after the rows are made, or wait for it to hear of them."""
    with serving(gateway.application) as base:
        caller = Caller(base)
        yield caller
        caller.close()


@pytest.fixture
def replicas(tmp_path: Path) -> Iterator[Callable[[], Replica]]:
    """Starts replicas, which end with the test."""
    with ExitStack() as running:
        yield lambda: running.enter_context(Replica(tmp_path))


@pytest.fixture
def replica(replicas: Callable[[], Replica]) -> Replica:
    return replicas()
