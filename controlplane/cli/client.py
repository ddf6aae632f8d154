"""The REST API as the commands need it: problems become sentences, lists become iterators."""

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urljoin

import click
import httpx

from controlplane.cli.config import Login, current_login
from controlplane.cli.output import harmless

TIMEOUT_SECONDS = 60
POLL_SECONDS = 0.5
BUSY = (423, 503)  # somebody is at it, or the server is just coming back: ask again


class Refused(click.ClickException):
    """The server said no; the message is its own, with every field it complained about."""

    def __init__(self, answer: httpx.Response) -> None:
        self.status = answer.status_code
        try:
            self.problem: dict[str, Any] = answer.json()
        except ValueError:
            self.problem = {"detail": f"the server answered {answer.status_code}"}
        lines = [str(self.problem.get("detail") or self.problem.get("title"))]
        wrong = self.problem.get("errors") or []
        lines += [f"  {error.get('field')}: {error.get('detail')}" for error in wrong]
        super().__init__(harmless("\n".join(lines)))


class Client:
    """One installation, as one person or run."""

    def __init__(self, login: Login, project: str = "default") -> None:
        self.url = login.url
        self.project = project
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {login.token}", "Accept": "application/json"},
            timeout=TIMEOUT_SECONDS,
        )

    def get(self, path: str, **params: Any) -> Any:
        return self._ask("GET", path, params=_given(params)).json()

    def text(self, path: str, **params: Any) -> str:
        headers = {"Accept": "*/*"}
        return self._ask("GET", path, params=_given(params), headers=headers).text

    def post(self, path: str, body: Any = None) -> Any:
        """Create or act. A key makes it safe to send again when the answer was lost."""
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        answer = self._ask("POST", path, json=body if body is not None else {}, headers=headers)
        return answer.json() if answer.content else None

    def patch(self, path: str, body: Any) -> Any:
        return self._ask("PATCH", path, json=body).json()

    def delete(self, path: str) -> None:
        self._ask("DELETE", path)

    def predict(self, url: str, body: bytes, content_type: str, *, key: str | None = None) -> Any:
        """Ask an endpoint, with a key of it or as the person; a prediction may be asked twice."""
        headers = {"Content-Type": content_type}
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        return self._send("POST", url, content=body, headers=headers).json()

    def pages(self, path: str, **params: Any) -> Iterator[Any]:
        """Every row of a list, page by page."""
        cursor = None
        while True:
            page = self.get(path, cursor=cursor, **params)
            yield from page["results"]
            cursor = page["next"]
            if cursor is None:
                return

    def send(self, method: str, url: str, **more: Any) -> httpx.Response:
        """A transfer of bytes by its ticket; the ticket is the credential, the token stays here."""
        return httpx.request(method, urljoin(self.url, url), timeout=TIMEOUT_SECONDS, **more)

    def in_project(self, path: str) -> str:
        return f"/projects/{self.project}/{path}"

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self._send(method, f"{self.url}/api/v1{path}", **more)

    def _send(self, method: str, url: str, **more: Any) -> httpx.Response:
        # a POST carries a key, the others may be repeated: a server that restarts goes unnoticed
        for delay in (0.5, 1, 2, 4, None):
            try:
                answer = self._http.request(method, url, **more)
            except httpx.TransportError as error:
                if delay is None:
                    whose = url.partition("/api/v1/")[0]
                    raise click.ClickException(f"{whose} does not answer: {error}") from None
                time.sleep(delay)
                continue
            if answer.status_code in BUSY and delay is not None:
                time.sleep(delay)
                continue
            if answer.is_error:
                raise Refused(answer)
            return answer
        raise AssertionError("the last try returns or raises")


def wait_for(look: Callable[[], Any]) -> Any:
    """The first answer that is not None, asked for twice a second."""
    while (found := look()) is None:
        time.sleep(POLL_SECONDS)
    return found


def connect(project: str = "default") -> Client:
    return Client(current_login(), project)


def _given(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}
