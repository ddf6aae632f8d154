import asyncio
import threading
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from agents.node.client import Refused
from agents.node.database import Database
from agents.node.journal import Journal
from agents.node.supervisor import Supervisor
from agents.node.workload import Surroundings
from agents.node.workspace import Workspace
from agents.protocol.envelope import Order
from agents.protocol.rest import Problem

NOW = 1_800_000_000
WORKLOAD = UUID(int=1)


def start(fence: int) -> Order:
    return Order(
        kid="k",
        aud=UUID(int=9),
        seq=1,
        jti=uuid4(),
        iat=NOW,
        exp=NOW + 300,
        op="start",
        gang=UUID(int=8),
        workload=WORKLOAD,
        fence=fence,
        spec_sha256="0" * 64,
    )


class Refusing:
    """A control plane that has given everything to somebody else."""

    def __init__(self) -> None:
        self.asked = 0

    async def spec(self, workload: UUID) -> bytes:
        self.asked += 1
        raise Refused(409, Problem(code="stale_fence"))


def surroundings(database: Database, folder: Path, plane: Any) -> Surroundings:
    return Surroundings(
        advertise_host="",
        journal=Journal(database),
        control_plane=plane,
        store=None,  # type: ignore[arg-type]  # nothing gets as far as its inputs
        workloads=folder / "workloads",
        environments=folder / "environments",
        url="",
        lifeline=None,
        on_news=lambda: None,
    )


def test_a_newer_fence_is_attended_to_while_the_older_one_tidies_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tidying, may_end = threading.Event(), threading.Event()

    def slow(_: Workspace) -> None:
        tidying.set()
        assert may_end.wait(10)

    monkeypatch.setattr(Workspace, "remove", slow)
    database, plane = Database(tmp_path / "agent.db"), Refusing()

    async def story() -> None:
        supervisor = Supervisor(surroundings(database, tmp_path, plane), on_settled=lambda: None)
        await supervisor.obey(start(7), now=NOW)
        await asyncio.to_thread(tidying.wait, 10)
        await supervisor.obey(start(8), now=NOW)
        assert [one.claim.fence for one in supervisor.workloads()] == [8]
        assert plane.asked == 1  # not before the older one has left the folder

        may_end.set()
        async with asyncio.timeout(10):
            while supervisor.workloads():
                await asyncio.sleep(0.01)
        assert plane.asked == 2
        await supervisor.close()

    asyncio.run(story())
    database.close()
