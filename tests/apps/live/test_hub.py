import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
import redis
from django.conf import settings

from apps.common import hub
from apps.common.hub import Hub, Inbox
from tests.apps.live.conftest import OwnValkey


class Reader:
    """What one socket has been sent."""

    def __init__(self) -> None:
        self.got: list[dict] = []
        self.free = asyncio.Event()
        self.free.set()
        self._more = asyncio.Event()

    async def send(self, text: str) -> None:
        await self.free.wait()
        self.got.append(json.loads(text))
        self._more.set()

    async def until(self, done: Callable[[list[dict]], bool]) -> list[dict]:
        async with asyncio.timeout(10):
            while not done(self.got):
                self._more.clear()
                await self._more.wait()
        return self.got

    async def have(self, count: int) -> list[dict]:
        return await self.until(lambda got: len(got) >= count)


@asynccontextmanager
async def a_hub(url: str = "", **options: float) -> AsyncIterator[Hub]:
    made = Hub(url or settings.REDIS_URL, **options)
    try:
        yield made
    finally:
        await made.aclose()


def watching(here: Hub, topic: str, since: int | None = None) -> tuple[Reader, Inbox]:
    reader = Reader()
    inbox = here.open(reader.send)
    inbox.watch(topic, since)
    return reader, inbox


def topic() -> str:
    return f"job.{uuid4()}"


class TestTelling:
    async def test_reaches_every_watcher_in_every_process_with_the_same_numbers(self):
        name = topic()
        async with a_hub() as one, a_hub() as two:
            (a, _), (b, _) = watching(one, name), watching(two, name)
            await a.have(1)
            await b.have(1)

            await asyncio.to_thread(hub.tell, name, {"n": 1})
            one.tell(name, {"n": 2})

            first, second = await a.have(3), await b.have(3)
        assert first[1:] == second[1:]
        assert [message["body"]["n"] for message in first[1:]] == [1, 2]
        start = first[0]["seq"]
        assert [message["seq"] for message in first[1:]] == [start + 1, start + 2]

    async def test_leaves_alone_who_watches_something_else(self):
        mine, other = topic(), topic()
        async with a_hub() as here:
            reader, _ = watching(here, mine)
            stranger, inbox = watching(here, other)
            await reader.have(1)
            await stranger.have(1)
            inbox.unwatch(other)

            here.tell(other, {"n": 1})
            here.tell(mine, {"n": 2})

            await reader.have(2)
            assert [message["body"] for message in reader.got[1:]] == [{"n": 2}]
            assert len(stranger.got) == 1

    async def test_may_be_spared_where_nobody_listens_in_any_process(self):
        name = topic()
        async with a_hub() as one, a_hub() as two:
            assert not await one.is_watched(name)

            reader, _ = watching(two, name)
            await reader.have(1)

            assert await one.is_watched(name)

    async def test_is_spared_while_redis_is_away(self, valkey: OwnValkey):
        async with a_hub(valkey.url) as here:
            valkey.kill()

            assert not await here.is_watched(topic())

    async def test_writes_ids_times_and_not_a_number_as_json(self):
        name, id = topic(), UUID(int=7)
        async with a_hub() as here:
            reader, _ = watching(here, name)
            await reader.have(1)

            here.tell(name, {"id": id, "at": datetime(2026, 1, 1, tzinfo=UTC), "x": float("nan")})

            await reader.have(2)
        assert reader.got[1]["body"] == {"id": str(id), "at": "2026-01-01T00:00:00Z", "x": None}

    def test_never_raises_for_what_cannot_be_written(self, caplog):
        hub.tell(topic(), {"what": object()})

        assert "cannot be written as JSON" in caplog.text

    def test_gives_up_soon_and_says_so_once_when_redis_is_gone_or_hangs(self, valkey, caplog):
        caplog.set_level(logging.INFO, "apps.common.hub")
        voice = hub._Voice(valkey.url)
        voice.say("t", "{}")
        valkey.freeze()
        began = time.monotonic()
        for _ in range(50):
            voice.say("t", "{}")
        valkey.thaw()
        valkey.kill()
        voice._quiet_until = 0.0
        voice.say("t", "{}")

        assert time.monotonic() - began < 5
        assert [record.levelname for record in caplog.records] == ["WARNING"]

        valkey.start()
        voice._quiet_until = 0.0
        voice.say("t", "{}")
        assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
        voice._redis.close()


class TestWatching:
    async def test_replays_what_came_since(self):
        name = topic()
        async with a_hub() as here:
            first, _ = watching(here, name)
            start = (await first.have(1))[0]["seq"]
            for n in range(3):
                here.tell(name, {"n": n})
            await first.have(4)

            again, _ = watching(here, name, since=start + 1)

            await again.have(3)
        assert again.got[0] == {"watching": name, "seq": start + 1, "refetch": False}
        assert [message["body"]["n"] for message in again.got[1:]] == [1, 2]

    async def test_replays_to_who_comes_back_after_the_last_watcher_left(self):
        name = topic()
        async with a_hub() as here:
            first, inbox = watching(here, name)
            start = (await first.have(1))[0]["seq"]
            await inbox.close()
            other, _ = watching(here, topic())
            await other.have(1)
            hub.tell(name, {"n": 1})
            while here._topics[name].last == start:
                await asyncio.sleep(0)

            again, _ = watching(here, name, since=start)

            await again.have(2)
        assert again.got[1]["body"] == {"n": 1}

    @pytest.mark.parametrize("since", [None, 0, 10**15])
    async def test_asks_for_a_refetch_when_it_does_not_know_what_was_missed(self, since):
        async with a_hub() as here:
            reader, _ = watching(here, topic(), since)

            assert (await reader.have(1))[0]["refetch"] is True

    async def test_forgets_after_a_while(self, monkeypatch):
        name = topic()
        async with a_hub() as here:
            first, _ = watching(here, name)
            start = (await first.have(1))[0]["seq"]
            here.tell(name, {"n": 1})
            await first.have(2)
            monkeypatch.setattr(hub, "REPLAY_SECONDS", 0.0)

            again, _ = watching(here, name, since=start)

            assert (await again.have(1))[0] == {
                "watching": name,
                "seq": start + 1,
                "refetch": True,
            }

    async def test_ends_a_subscription_that_nobody_has_watched_for_a_while(self, monkeypatch):
        monkeypatch.setattr(hub, "REPLAY_SECONDS", 0.01)
        name = topic()
        client = redis.Redis.from_url(settings.REDIS_URL)
        async with a_hub() as here:
            reader, inbox = watching(here, name)
            await reader.have(1)
            assert client.pubsub_numsub(hub._channel(name))[0][1] == 1

            inbox.unwatch(name)

            async with asyncio.timeout(5):
                while client.pubsub_numsub(hub._channel(name))[0][1]:
                    await asyncio.sleep(0.01)
        client.close()


class TestASlowReader:
    async def test_gets_the_newest_and_is_told_to_refetch_while_others_miss_nothing(self):
        name, many = topic(), hub.INBOX_MESSAGES * 3
        async with a_hub() as here:
            slow, _ = watching(here, name)
            quick, _ = watching(here, name)
            await slow.have(1)
            start = (await quick.have(1))[0]["seq"]
            slow.free.clear()

            for n in range(many):
                here.tell(name, {"n": n})
            await quick.have(many + 1)
            slow.free.set()

            await slow.until(lambda got: got[-1].get("seq") == start + many)
        assert [message["body"]["n"] for message in quick.got[1:]] == list(range(many))
        notice = next(message for message in slow.got[1:] if "watching" in message)
        after = slow.got[slow.got.index(notice) + 1 :]
        assert notice["refetch"] is True
        assert [m["seq"] for m in after] == list(range(notice["seq"] + 1, start + many + 1))
        assert len(slow.got) < many


class TestTheSubscription:
    async def test_outlives_a_silence_longer_than_any_timeout(self):
        name = topic()
        async with a_hub(ping_seconds=0.05) as here:
            assert here._subscriber.connection_pool.connection_kwargs["socket_timeout"] is None
            reader, _ = watching(here, name)
            await reader.have(1)
            subscribed = here._topics[name]
            for _ in range(6):  # six times the silence that would end it without pings
                await asyncio.sleep(0.1)
                assert subscribed.placed

            here.tell(name, {"n": 1})

            assert (await reader.have(2))[1]["body"] == {"n": 1}

    async def test_comes_back_after_redis_was_killed_and_has_watchers_refetch(
        self, valkey: OwnValkey
    ):
        name = topic()
        async with a_hub(valkey.url) as here:
            reader, _ = watching(here, name)
            await reader.have(1)
            here.tell(name, {"n": 1})
            before = (await reader.have(2))[1]["seq"]

            await asyncio.to_thread(valkey.kill)
            await asyncio.to_thread(valkey.start)

            await reader.have(3)
            assert reader.got[2]["watching"] == name
            assert reader.got[2]["refetch"] is True
            voice = hub._Voice(valkey.url)
            await asyncio.to_thread(voice.say, name, '{"n": 2}')
            after = (await reader.have(4))[3]
            voice._redis.close()
        assert after["body"] == {"n": 2}
        assert after["seq"] > before

    async def test_is_given_up_when_redis_hangs(self, valkey: OwnValkey):
        name = topic()
        async with a_hub(valkey.url, ping_seconds=0.2) as here:
            reader, _ = watching(here, name)
            await reader.have(1)
            valkey.freeze()

            async with asyncio.timeout(10):
                while here._topics[name].placed:
                    await asyncio.sleep(0.01)
            valkey.thaw()

            async with asyncio.timeout(10):
                while not here._topics[name].placed:
                    await asyncio.sleep(0.01)
            here.tell(name, {"n": 1})
            await reader.until(lambda got: got[-1].get("body") == {"n": 1})

    async def test_answers_who_watches_while_redis_is_away_once_it_is_back(self, valkey: OwnValkey):
        async with a_hub(valkey.url) as here:
            first, _ = watching(here, topic())
            await first.have(1)
            await asyncio.to_thread(valkey.kill)
            late, _ = watching(here, topic())

            await asyncio.to_thread(valkey.start)

            assert (await late.have(1))[0]["refetch"] is True
