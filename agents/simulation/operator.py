"""What an operator does by hand for a real node, over the same REST API: invite it, retire it."""

from collections.abc import Mapping
from typing import Self
from uuid import UUID

import httpx
import msgspec

from agents.node.client import TIMEOUT, Refused, Unavailable
from agents.protocol.rest import Problem


class Operator:
    """The installation's API, with an operator's token."""

    def __init__(self, url: str, token: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=f"{url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def invite(self) -> str:
        """A join token for one node."""
        answer = await self._ask("POST", "/nodes/join-tokens")
        return str(msgspec.json.decode(answer.content)["token"])

    async def cordon(self, node: UUID, *, reason: str) -> None:
        await self._ask("POST", f"/nodes/{node}/cordon", {"reason": reason})

    async def remove(self, node: UUID) -> None:
        await self._ask("DELETE", f"/nodes/{node}")

    async def _ask(
        self, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> httpx.Response:
        try:
            answer = await self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise Unavailable(str(error) or type(error).__name__) from error
        if answer.is_error:
            try:
                problem = msgspec.json.decode(answer.content, type=Problem)
            except msgspec.DecodeError:
                problem = Problem(status=answer.status_code, detail=answer.reason_phrase)
            raise Refused(answer.status_code, problem)
        return answer
