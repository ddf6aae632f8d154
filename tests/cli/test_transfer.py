"""Bytes up and down over a connection that breaks."""

import hashlib

import click
import pytest

from controlplane.cli import transfer
from tests.cli.plane import Answer, Asked, plane

DATA = b"0123456789" * 100
DIGEST = hashlib.sha256(DATA).hexdigest()
UPLOADS = "/api/v1/projects/default/uploads"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(transfer, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(transfer, "CHUNK_BYTES", 300)


class Store:
    """The server's side of one upload; breaks off where it is told to."""

    def __init__(self, *, breaks_at: tuple[int, ...] = ()) -> None:
        self.data = b""
        self.finished = False
        self._breaks_at = list(breaks_at)

    def __call__(self, asked: Asked) -> Answer:
        row = {"id": "u1", "url": "/transfer/u1", "offset": len(self.data)}
        match asked.method, asked.path:
            case "POST", "/api/v1/projects/default/uploads":
                assert asked.json["digest"] == DIGEST
                return Answer(201, row | {"finished": False})
            case "GET", "/api/v1/projects/default/uploads/u1":
                return Answer(200, row | {"finished": self.finished})
            case "POST", "/api/v1/projects/default/uploads/u1/finish":
                self.finished = True
                return Answer(200, row | {"finished": True})
            case "HEAD", "/transfer/u1":
                return Answer(200, headers={"Upload-Offset": str(len(self.data))})
            case "PATCH", "/transfer/u1":
                return self._take(asked)
        return Answer(404, {"detail": "no such thing"})

    def _take(self, asked: Asked) -> Answer:
        assert "authorization" not in asked.headers  # the ticket is the credential
        if int(asked.headers["upload-offset"]) != len(self.data):
            return Answer(409, {"detail": "another offset"})
        self.data += asked.body
        if self._breaks_at and len(self.data) > self._breaks_at[0]:
            self.data = self.data[: self._breaks_at.pop(0)]  # the rest never arrived
            return Answer(200, b"lost", cut=0)
        return Answer(204, headers={"Upload-Offset": str(len(self.data))})


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "data.bin"
    path.write_bytes(DATA)
    return path


class TestUpload:
    def test_sends_a_file_in_chunks(self, file):
        store = Store()
        with plane(store) as server:
            assert transfer.upload(server.client(), file) == "u1"

        assert (store.data, store.finished) == (DATA, True)
        assert [a.method for a in server.asked].count("PATCH") == 4

    def test_goes_on_where_the_connection_broke(self, file):
        store = Store(breaks_at=(450, 700))
        with plane(store) as server:
            transfer.upload(server.client(), file)

        assert store.data == DATA

    def test_goes_on_where_an_earlier_command_broke_off(self, file, monkeypatch):
        store = Store(breaks_at=(450,))
        with plane(store) as server:
            with monkeypatch.context() as patch:
                patch.setattr(transfer, "TRIES", 1)
                with pytest.raises(click.ClickException, match="Run the command again"):
                    transfer.upload(server.client(), file)
            transfer.upload(server.client(), file)

        assert store.data == DATA
        created = [a for a in server.asked if (a.method, a.path) == ("POST", UPLOADS)]
        assert len(created) == 1

    def test_tells_the_servers_refusal(self, file):
        with plane(lambda asked: Answer(413, {"detail": "It is too large."})) as server:
            with pytest.raises(click.ClickException, match="It is too large"):
                transfer.upload(server.client(), file)

    def test_sends_several_under_one_bar(self, file, capfd):
        twin = file.with_name("twin.bin")
        twin.write_bytes(DATA)
        with plane(Store()) as server:
            assert transfer.upload_all(server.client(), [file, twin]) == ["u1", "u1"]

        told = capfd.readouterr().err
        assert "upload 2 files" in told
        assert "twin.bin" not in told


class TestDownload:
    LISTED = {"path": "model.bin", "digest": DIGEST, "size": len(DATA), "url": "/transfer/d1"}

    def test_goes_on_where_the_connection_broke(self, tmp_path):
        def answer(asked: Asked) -> Answer:
            if "range" not in asked.headers:
                return Answer(200, DATA, cut=400)
            start = int(asked.headers["range"].removeprefix("bytes=").rstrip("-"))
            return Answer(206, DATA[start:])

        with plane(answer) as server:
            transfer.download_all(server.client(), [self.LISTED], tmp_path / "to")

        assert (tmp_path / "to" / "model.bin").read_bytes() == DATA
        assert [a.headers.get("range") for a in server.asked] == [None, "bytes=400-"]

    def test_keeps_nothing_that_arrived_damaged(self, tmp_path):
        with plane(lambda asked: Answer(200, DATA[::-1])) as server:
            with pytest.raises(click.ClickException, match="arrived damaged"):
                transfer.download_all(server.client(), [self.LISTED], tmp_path)

        assert list(tmp_path.glob("model*")) == []
