import asyncio
import os
from pathlib import Path

import pytest

from agents.node.client import Unavailable
from agents.node.store import Corrupt, Store
from agents.protocol.rest import Ticket
from tests.agents.node.double import digest_of


class Source:
    """Where bytes come from; it may break off, or lie."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.fetches = 0
        self.breaks_after: int | None = None

    def ticket(self, body: bytes) -> Ticket:
        self.held[digest_of(body)] = body
        return Ticket(digest=digest_of(body), size=len(body), url="/x")

    async def fetch(self, ticket: Ticket, path: Path) -> None:
        self.fetches += 1
        body = self.held[ticket.digest]
        have = path.stat().st_size if path.exists() else 0
        end = len(body) if self.breaks_after is None else have + self.breaks_after
        await asyncio.sleep(0)
        with path.open("ab") as file:
            file.write(body[have:end])
        if end < len(body):
            raise Unavailable("broke off")


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def store(tmp_path: Path, source: Source) -> Store:
    return Store(tmp_path / "store", source.fetch, limit_bytes=1000)


class TestEnsure:
    async def test_fetches_once(self, store: Store, source: Source) -> None:
        ticket = source.ticket(b"data")

        path = await store.ensure(ticket)
        again = await store.ensure(ticket)

        assert path.read_bytes() == b"data"
        assert (again, source.fetches) == (path, 1)
        assert path.stat().st_mode & 0o777 == 0o444

    async def test_several_at_once_share_one_fetch(self, store: Store, source: Source) -> None:
        ticket = source.ticket(b"data" * 100)

        await asyncio.gather(*(store.ensure(ticket) for _ in range(5)))

        assert source.fetches == 1

    async def test_goes_on_where_it_broke_off(self, store: Store, source: Source) -> None:
        ticket = source.ticket(b"0123456789")
        source.breaks_after = 4
        with pytest.raises(Unavailable):
            await store.ensure(ticket)

        source.breaks_after = 6

        assert (await store.ensure(ticket)).read_bytes() == b"0123456789"

    async def test_wrong_bytes_are_thrown_away(self, store: Store, source: Source) -> None:
        ticket = source.ticket(b"right")
        source.held[ticket.digest] = b"wrong"
        with pytest.raises(Corrupt):
            await store.ensure(ticket)

        source.held[ticket.digest] = b"right"

        assert (await store.ensure(ticket)).read_bytes() == b"right"

    async def test_what_was_written_to_is_fetched_again(self, store: Store, source: Source) -> None:
        ticket = source.ticket(b"right")
        path = await store.ensure(ticket)
        path.chmod(0o644)
        path.write_bytes(b"spoil")

        assert (await store.ensure(ticket)).read_bytes() == b"right"
        assert source.fetches == 2

    async def test_an_odd_digest_never_becomes_a_path(self, store: Store) -> None:
        with pytest.raises(ValueError, match="not a digest"):
            await store.ensure(Ticket(digest="../../etc/passwd", size=1, url="/x"))


class TestPlace:
    async def test_shares_the_bytes_read_only(
        self, store: Store, source: Source, tmp_path: Path
    ) -> None:
        path = await store.ensure(source.ticket(b"data"))
        target = tmp_path / "workspace" / "deep" / "file"

        store.place(digest_of(b"data"), target)

        assert target.samefile(path)
        assert target.stat().st_mode & 0o222 == 0


class TestShrink:
    async def test_what_was_used_longest_ago_goes_first(self, store: Store, source: Source) -> None:
        tickets = [source.ticket(bytes([n]) * 400) for n in range(3)]
        paths = [await store.ensure(ticket) for ticket in tickets]
        for age, path in zip([1, 3, 2], paths, strict=True):
            used = path.stat().st_atime_ns - age * 10**12
            os.utime(path, ns=(used, path.stat().st_mtime_ns))

        assert store.shrink() == 400

        assert [path.exists() for path in paths] == [True, False, True]

    async def test_what_is_pinned_stays(self, store: Store, source: Source) -> None:
        tickets = [source.ticket(bytes([n]) * 400) for n in range(3)]
        with store.pinned(ticket.digest for ticket in tickets):
            paths = [await store.ensure(ticket) for ticket in tickets]

            assert store.shrink() == 0

        assert all(path.exists() for path in paths)
        assert store.shrink() == 400
