import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from apps.artifacts import storage, tickets, transfer
from apps.artifacts.tickets import Ticket
from tests.apps.artifacts.server import serving, sha256, stored, until

HOLDER = uuid4()
DATA = bytes(range(256)) * 40


@pytest.fixture
def web() -> Iterator[httpx.Client]:
    with serving() as url, httpx.Client(base_url=url, timeout=20) as client:
        yield client


def put_url(
    data: bytes, *, declared: str | None = None, upload: UUID | None = None, seconds: float = 60
) -> str:
    return tickets.PREFIX + tickets.write(
        Ticket(
            verb="put",
            holder=HOLDER,
            expires=int(time.time() + seconds),
            size=len(data),
            digest=sha256(data) if declared is None else declared,
            upload=upload or uuid4(),
        )
    )


def get_url(data: bytes, **more: str) -> str:
    return tickets.download_url(digest=stored(data), size=len(data), holder=HOLDER, **more)


def patch(web: httpx.Client, url: str, offset: int, data: bytes) -> httpx.Response:
    return web.patch(url, headers={"Upload-Offset": str(offset)}, content=data)


def socket_to(web: httpx.Client) -> socket.socket:
    return socket.create_connection((web.base_url.host, web.base_url.port), timeout=20)


def begin_patch(
    web: httpx.Client, url: str, *, length: int, data: bytes = b"", at: int = 0
) -> socket.socket:
    """A connection that has sent a part of the body it announced."""
    connection = socket_to(web)
    fields = f"Host: x\r\nUpload-Offset: {at}\r\nContent-Length: {length}"
    head = f"PATCH {url} HTTP/1.1\r\n{fields}\r\n\r\n"
    connection.sendall(head.encode() + data)
    return connection


class TestDownload:
    def test_gives_the_bytes_with_what_a_browser_needs_to_keep_them_harmless(self, web):
        answer = web.get(get_url(DATA, filename="evil.html", media_type="text/html"))

        assert (answer.status_code, answer.content) == (200, DATA)
        assert answer.headers["etag"] == f'"{sha256(DATA)}"'
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"] == 'attachment; filename="evil.html"'
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("sandbox")

    @pytest.mark.parametrize(
        ("media_type", "shown"),
        [("image/png", "inline"), ("image/svg+xml", "attachment"), ("", "attachment")],
    )
    def test_only_pictures_that_cannot_act_are_shown(self, web, media_type, shown):
        answer = web.get(get_url(DATA, filename="x", media_type=media_type))

        assert answer.headers["content-disposition"].startswith(f"{shown};")

    def test_head_tells_the_size_and_sends_nothing(self, web):
        answer = web.head(get_url(DATA))

        assert answer.headers["content-length"] == str(len(DATA))
        assert answer.content == b""

    @pytest.mark.parametrize(
        ("asked", "start", "end"),
        [
            ("bytes=0-0", 0, 1),
            ("bytes=10-19", 10, 20),
            ("bytes=10-", 10, None),
            ("bytes=-7", -7, None),
            ("bytes=-999999999", 0, None),
            ("bytes=10200-99999999", 10200, None),
        ],
    )
    def test_gives_one_range(self, web, asked, start, end):
        answer = web.get(get_url(DATA), headers={"Range": asked})

        assert answer.status_code == 206
        assert answer.content == DATA[start:end]
        first = re.fullmatch(r"bytes (\d+)-\d+/10240", answer.headers["content-range"])
        assert first
        assert int(first[1]) == start % len(DATA)

    @pytest.mark.parametrize("asked", ["bytes=10240-", "bytes=99999-100000", "bytes=-0"])
    def test_refuses_a_range_outside_the_bytes(self, web, asked):
        answer = web.get(get_url(DATA), headers={"Range": asked})

        assert answer.status_code == 416
        assert answer.headers["content-range"] == "bytes */10240"

    @pytest.mark.parametrize(
        "asked", ["bytes=0-1,4-5", "bytes=5-2", "lines=1-2", "bytes=-", "bytes=x-", "bytes=٣-"]
    )
    def test_gives_the_whole_for_a_range_that_it_does_not_serve(self, web, asked):
        answer = web.get(get_url(DATA), headers={"Range": asked.encode()})

        assert (answer.status_code, answer.content) == (200, DATA)

    def test_a_range_of_other_bytes_gives_the_whole(self, web):
        headers = {"Range": "bytes=0-1", "If-Range": f'"{sha256(b"before")}"'}

        assert web.get(get_url(DATA), headers=headers).status_code == 200
        headers["If-Range"] = f'"{sha256(DATA)}"'
        assert web.get(get_url(DATA), headers=headers).status_code == 206

    def test_bytes_that_the_browser_has_are_not_sent_again(self, web):
        answer = web.get(get_url(DATA), headers={"If-None-Match": f'"{sha256(DATA)}"'})

        assert (answer.status_code, answer.content) == (304, b"")

    def test_bytes_that_are_gone_or_cut_are_not_passed_off_as_whole(self, web, tmp_path):
        url = get_url(DATA)
        blob = tmp_path / "blobs" / sha256(DATA)[:2] / sha256(DATA)

        os.truncate(blob, 5)
        assert (web.get(url).status_code, web.get(url).json()["code"]) == (500, "bytes_damaged")
        blob.unlink()
        assert web.get(url).json()["code"] == "bytes_missing"
        os.mkfifo(blob)
        assert web.get(url).json()["code"] == "bytes_damaged"

    @pytest.mark.parametrize("times", [1, 200])
    def test_bytes_that_rotted_never_arrive_whole(self, web, tmp_path, times):
        """F50: a small file is refused, a large one is broken off before its last piece."""
        data = DATA * times
        url = get_url(data)
        blob = tmp_path / "blobs" / sha256(data)[:2] / sha256(data)
        with blob.open("r+b") as file:
            file.seek(7)
            file.write(b"!")

        if times == 1:
            assert (web.get(url).status_code, web.get(url).json()["code"]) == (500, "bytes_damaged")
        else:
            with pytest.raises(httpx.RemoteProtocolError):
                web.get(url)

    def test_an_empty_file_is_a_file(self, web):
        answer = web.get(get_url(b""))

        assert (answer.status_code, answer.content) == (200, b"")


class TestTicket:
    def test_a_changed_ticket_says_what_to_do(self, web):
        url = get_url(DATA)
        changed = url[:40] + ("A" if url[40] != "A" else "B") + url[41:]

        answer = web.get(changed, headers={"Accept-Language": "zh-CN,en;q=0.5"})

        assert answer.status_code == 403
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "ticket_forged"
        assert answer.json()["detail"] != "ticket_forged"
        assert answer.headers["content-language"] == "zh-CN"

    def test_an_expired_ticket_says_so(self, web):
        answer = patch(web, put_url(DATA, seconds=-1), 0, DATA)

        assert (answer.status_code, answer.json()["code"]) == (403, "ticket_expired")

    @pytest.mark.parametrize("text", ["", ".", "a.b", "é", "x" * 5000, "%00.%00", "..%2f..%2fetc"])
    def test_garbage_is_refused(self, web, text):
        assert web.get(tickets.PREFIX + text).json()["code"] == "ticket_forged"

    def test_is_good_for_its_own_verb_alone(self, web):
        fetched = patch(web, get_url(DATA), 0, b"x")
        sent = web.get(put_url(DATA))

        assert (fetched.status_code, fetched.headers["allow"]) == (405, "GET, HEAD")
        assert (sent.status_code, sent.headers["allow"]) == (405, "HEAD, PATCH")

    def test_of_another_installation_is_refused(self, web, settings):
        url = get_url(DATA)
        settings.SECRET_KEY = "another" * 8

        assert web.get(url).json()["code"] == "ticket_forged"

    def test_outlives_a_change_of_the_secret_that_keeps_the_old_one(self, web, settings):
        url = get_url(DATA)
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "another" * 8

        assert web.get(url).status_code == 200


class TestUpload:
    def test_arrives_in_pieces_and_is_stored(self, web, store):
        url = put_url(DATA)

        assert web.head(url).headers["upload-offset"] == "0"
        first = patch(web, url, 0, DATA[:1000])
        assert (first.status_code, first.headers["upload-offset"]) == (204, "1000")
        assert store.size(sha256(DATA)) is None
        last = patch(web, url, 1000, DATA[1000:])

        assert (last.status_code, last.headers["upload-offset"]) == (204, "10240")
        assert store.read_small(sha256(DATA), 20000) == DATA
        assert web.head(url).headers["upload-offset"] == "10240"
        assert web.head(url).headers["upload-length"] == "10240"

    def test_goes_on_where_a_cut_connection_left_it(self, web, store):
        data = os.urandom(3 * transfer.WRITE_BYTES)
        url = put_url(data)

        with begin_patch(web, url, length=len(data), data=data[: 2 * transfer.WRITE_BYTES]):
            until(lambda: web.head(url).headers["upload-offset"] != "0")
        assert patch(web, url, 0, b"").status_code == 409  # which waits for it to let go

        offset = int(web.head(url).headers["upload-offset"])
        assert transfer.WRITE_BYTES <= offset <= 2 * transfer.WRITE_BYTES
        assert patch(web, url, offset, data[offset:]).status_code == 204
        assert store.size(sha256(data)) == len(data)

    def test_a_wrong_offset_is_told_the_right_one(self, web):
        url = put_url(DATA)
        patch(web, url, 0, DATA[:100])

        for offset in (0, 99, 101, 10240):
            answer = patch(web, url, offset, b"")
            assert (answer.status_code, answer.headers["upload-offset"]) == (409, "100")

    @pytest.mark.parametrize("offset", ["", "-1", "x", "1e3", "٣", "9" * 30])
    def test_bytes_without_an_offset_are_refused(self, web, offset):
        answer = web.patch(put_url(DATA), headers={"Upload-Offset": offset.encode()}, content=DATA)

        assert (answer.status_code, answer.json()["code"]) == (400, "offset_missing")

    def test_more_bytes_than_announced_are_refused_before_they_come(self, web, store):
        answer = patch(web, put_url(DATA), 0, DATA + b"!")

        assert (answer.status_code, answer.json()["code"]) == (413, "too_many_bytes")
        assert list(store.uploads()) == []

    def test_more_bytes_than_announced_are_refused_when_no_length_was_given(self, web, store):
        url = put_url(DATA)

        answer = web.patch(url, headers={"Upload-Offset": "0"}, content=iter([DATA, b"!" * 99999]))

        assert answer.status_code == 413
        assert store.offset(next(store.uploads())) == len(DATA)

    def test_other_bytes_than_announced_are_thrown_away_and_may_be_sent_again(self, web, store):
        url = put_url(DATA)

        wrong = patch(web, url, 0, DATA[::-1])

        assert (wrong.status_code, wrong.json()["code"]) == (422, "digest_mismatch")
        assert wrong.headers["upload-offset"] == web.head(url).headers["upload-offset"] == "0"
        assert patch(web, url, 0, DATA).status_code == 204
        assert store.size(sha256(DATA)) == len(DATA)

    def test_a_digest_need_not_be_known_beforehand(self, web, store):
        upload = uuid4()

        patch(web, put_url(DATA, declared="", upload=upload), 0, DATA)

        assert store.sealed(upload) == storage.Sealed(sha256(DATA), len(DATA))

    def test_a_complete_upload_takes_a_repeat_and_nothing_else(self, web):
        url = put_url(DATA)
        patch(web, url, 0, DATA)

        assert patch(web, url, len(DATA), b"").status_code == 204
        again = patch(web, url, 0, DATA)
        assert (again.status_code, again.headers["upload-offset"]) == (409, "10240")

    def test_an_answer_lost_between_the_last_byte_and_the_check_is_made_good(self, web, store):
        upload = uuid4()
        incoming = store.receive(upload)
        incoming.write(DATA)  # and then the server was killed
        incoming.close()

        assert patch(web, put_url(DATA, upload=upload), len(DATA), b"").status_code == 204
        assert store.size(sha256(DATA)) == len(DATA)

    def test_an_empty_file_can_be_sent(self, web, store):
        assert patch(web, put_url(b""), 0, b"").status_code == 204
        assert store.size(sha256(b"")) == 0

    def test_has_one_writer_at_a_time(self, web, store, monkeypatch):
        monkeypatch.setattr(transfer, "BUSY_SECONDS", 0)
        upload = uuid4()
        url = put_url(DATA, upload=upload)
        connection = begin_patch(web, url, length=len(DATA), data=DATA[:100])
        until(lambda: list(store.uploads()) == [upload])

        second = patch(web, url, 0, DATA)
        assert (second.status_code, second.json()["code"]) == (423, "upload_busy")
        assert second.headers["retry-after"] == "1"

        connection.sendall(DATA[100:])
        assert connection.recv(4096).startswith(b"HTTP/1.1 204")
        connection.close()
        assert store.size(sha256(DATA)) == len(DATA)

    def test_many_writers_together_store_the_bytes_once_and_whole(self, web, store):
        data = os.urandom(300_000)
        url = put_url(data)

        def send() -> None:
            with httpx.Client(base_url=web.base_url, timeout=20) as client:
                offset = 0
                while offset < len(data):
                    answer = patch(client, url, offset, data[offset : offset + 20_000])
                    assert answer.status_code in (204, 409, 423), answer.text
                    if "upload-offset" in answer.headers:
                        offset = int(answer.headers["upload-offset"])

        senders = [threading.Thread(target=send) for _ in range(6)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(60)

        assert store.read_small(sha256(data), len(data)) == data

    def test_a_sender_that_falls_silent_makes_room_for_another(self, web, store, monkeypatch):
        monkeypatch.setattr(transfer, "IDLE_SECONDS", 0.2)
        url = put_url(DATA)

        connection = begin_patch(web, url, length=len(DATA), data=DATA[:100])

        assert connection.recv(4096).startswith(b"HTTP/1.1 408")
        connection.close()
        assert patch(web, url, 100, DATA[100:]).status_code == 204

    def test_a_full_disk_is_told_apart_from_a_broken_one(self, web, monkeypatch):
        url = put_url(DATA)

        def full(*_: object) -> int:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as broken:
            broken.setattr(storage.os, "pwrite", full)
            answer = patch(web, url, 0, DATA)
        assert (answer.status_code, answer.json()["code"]) == (507, "store_full")
        assert patch(web, url, 0, DATA).status_code == 204  # room was made: it goes on


class Server:
    """The door in a process of its own, to be measured or killed."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            command = [sys.executable, "-m", "uvicorn", "apps.artifacts.transfer:application"]
            self.process = subprocess.Popen(
                [*command, "--fd", str(listener.fileno()), "--lifespan", "off"],
                pass_fds=[listener.fileno()],
                env={**os.environ, "DATAHALL_ARTIFACTS": str(folder)},
                stderr=subprocess.DEVNULL,
            )

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(20)


def test_memory_stays_flat_both_ways(tmp_path):
    """The bytes of a large file are never in the server's memory together."""
    piece, pieces = os.urandom(1024 * 1024), 300
    size, upload = pieces * len(piece), uuid4()
    ticket = Ticket(verb="put", holder=HOLDER, expires=2**40, size=size, digest="", upload=upload)
    with Server(tmp_path) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        url = tickets.PREFIX + tickets.write(ticket)
        until(lambda: client.head(url).status_code == 200)
        before = resident_bytes(server.process.pid)

        headers = {"Upload-Offset": "0", "Content-Length": str(size)}
        sent = client.patch(url, headers=headers, content=(piece for _ in range(pieces)))
        digest = json.loads((tmp_path / "uploads" / f"{upload}.done").read_bytes())["digest"]
        url = tickets.download_url(digest=digest, size=size, holder=HOLDER)
        with client.stream("GET", url) as answer:
            got = sum(len(data) for data in answer.iter_raw())

        assert (sent.status_code, got) == (204, size)
        assert peak_bytes(server.process.pid) - before < 32 * 1024 * 1024


def test_killing_the_server_again_and_again_loses_nothing_and_shows_nothing_half(store, tmp_path):
    data = os.urandom(12 * 1024 * 1024)
    upload = uuid4()
    url = put_url(data, upload=upload)
    acknowledged = 0
    while acknowledged < len(data):
        with Server(tmp_path) as server, httpx.Client(base_url=server.url, timeout=20) as client:
            offset = int(client.head(url).headers["upload-offset"])
            assert offset >= acknowledged
            assert store.size(sha256(data)) is None
            kill_in_the_middle(server, client, url, data, offset, upload)
        acknowledged = store.offset(upload)

    with Server(tmp_path) as server, httpx.Client(base_url=server.url, timeout=20) as client:
        assert patch(client, url, len(data), b"").status_code == 204
    assert store.read_small(sha256(data), len(data)) == data


def kill_in_the_middle(
    server: Server, client: httpx.Client, url: str, data: bytes, offset: int, upload: UUID
) -> None:
    goal = min(offset + 4 * 1024 * 1024, len(data))
    with begin_patch(client, url, length=len(data) - offset, at=offset) as connection:
        sender = threading.Thread(target=pour, args=[connection, data[offset:]])
        sender.start()
        until(lambda: storage.store().offset(upload) >= goal)
        server.process.kill()
        sender.join(20)


def pour(connection: socket.socket, data: bytes) -> None:
    try:
        connection.sendall(data)
    except OSError:
        pass  # the server was killed, as it should be


def resident_bytes(pid: int) -> int:
    return _status(pid, "VmRSS")


def peak_bytes(pid: int) -> int:
    return _status(pid, "VmHWM")


def _status(pid: int, field: str) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"{field}:\s+(\d+) kB", text)
    assert found
    return int(found[1]) * 1024
