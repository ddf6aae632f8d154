"""What a workload says of where it is reached, which may be anything."""

import asyncio
import os
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agents.node import services
from agents.node.workspace import Workspace
from agents.protocol.link import Service
from agents.runners.serving import certificate

CERTIFICATE = certificate.make("127.0.0.1").certificate
SERVICE = Service(host="127.0.0.1", port=4321, certificate=CERTIFICATE)


def body(**changes: Any) -> bytes:
    return msgspec.json.encode(msgspec.to_builtins(SERVICE) | changes)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    one = Workspace(tmp_path / "w")
    one.create()
    return one


class TestRead:
    def test_takes_what_a_replica_writes(self) -> None:
        assert services.read(body()) == SERVICE

    @pytest.mark.parametrize(
        "hostile",
        [
            b"",
            b"{",
            b"[]",
            b"\xff",
            b"[" * 10_000,
            body(host=""),
            body(host="a" * 256),
            body(host="a\nb"),
            body(host=7),
            body(port=0),
            body(port=65536),
            body(port=-1),
            body(port=10**30),
            body(certificate=""),
            body(certificate="-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"),
            body(certificate=CERTIFICATE * 2),
            body(certificate=CERTIFICATE + "x" * services.MAX_SERVICE_BYTES),
        ],
    )
    def test_refuses_the_rest(self, hostile: bytes) -> None:
        with pytest.raises((ValueError, RecursionError)):
            services.read(hostile)


class TestAnnounced:
    async def test_waits_past_what_cannot_be_used(
        self, workspace: Workspace, caplog: pytest.LogCaptureFixture
    ) -> None:
        file = workspace.folder / "told" / "service.json"
        os.mkfifo(file)
        waiting = asyncio.create_task(services.announced(workspace))
        file.unlink()
        file.symlink_to("/etc/passwd")
        (workspace.folder / "next").write_bytes(body(port=0))
        os.replace(workspace.folder / "next", file)
        while not caplog.records:
            await asyncio.sleep(0)
        (workspace.folder / "next").write_bytes(body())
        os.replace(workspace.folder / "next", file)

        async with asyncio.timeout(10):
            assert await waiting == SERVICE
        assert len(caplog.records) == 1
        assert "no usable port" in caplog.text

    def test_never_follows_a_link_or_waits_at_a_pipe(self, workspace: Workspace) -> None:
        file = workspace.folder / "told" / "service.json"
        file.symlink_to("/etc/passwd")
        assert workspace.service(100) is None
        file.unlink()
        os.mkfifo(file)
        assert workspace.service(100) is None


class TestAdvertisedHost:
    def test_is_the_address_towards_the_control_plane(self) -> None:
        assert services.advertised_host("http://127.0.0.1:8000") == "127.0.0.1"

    def test_of_a_name(self) -> None:
        assert services.advertised_host("https://localhost") in ("127.0.0.1", "::1")

    def test_where_there_is_no_name_service(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def unknown(*_: object, **__: object) -> Any:
            raise socket.gaierror(-2, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)

        assert services.advertised_host("https://plane.example.com") == "127.0.0.1"
