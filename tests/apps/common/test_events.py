from dataclasses import dataclass
from typing import ClassVar

import psycopg
import pytest
from django.conf import settings
from django.db import transaction

from apps.common import events, hub, sweeps


@dataclass(frozen=True, kw_only=True)
class TeaMade(events.Event):
    name: ClassVar[str] = "tea.made"

    cups: int

    @property
    def topics(self) -> list[str]:
        return ["kitchen"]


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[TeaMade]:
    heard: list[TeaMade] = []
    monkeypatch.setitem(events._subscribers, TeaMade, [])
    events.subscribe(TeaMade)(heard.append)
    return heard


@pytest.mark.django_db(transaction=True)
class TestPublish:
    def test_is_heard_after_the_transaction_and_not_before(self, heard: list[TeaMade]) -> None:
        with transaction.atomic():
            events.publish(TeaMade(cups=2))
            assert heard == []

        assert heard == [TeaMade(cups=2)]

    def test_is_not_heard_when_it_did_not_happen(self, heard: list[TeaMade]) -> None:
        with transaction.atomic():
            events.publish(TeaMade(cups=2))
            transaction.set_rollback(True)

        assert heard == []

    def test_is_heard_by_the_others_when_one_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        heard: list[TeaMade] = []

        def fail(event: TeaMade) -> None:
            raise ZeroDivisionError

        monkeypatch.setitem(events._subscribers, TeaMade, [fail, heard.append])

        events.publish(TeaMade(cups=1))

        assert heard == [TeaMade(cups=1)]

    def test_tells_the_watchers_of_its_topics(
        self, heard: list[TeaMade], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: list[tuple[str, object]] = []
        monkeypatch.setattr(hub, "tell", lambda topic, message: told.append((topic, message)))

        events.publish(TeaMade(cups=3))

        assert told == [("kitchen", {"event": "tea.made", "cups": 3})]


@pytest.mark.django_db(transaction=True)
class TestWake:
    def test_reaches_whoever_listens_once_the_transaction_holds(self) -> None:
        with psycopg.connect(_test_database(), autocommit=True) as listener:
            listener.execute(f"LISTEN {sweeps.CHANNEL}")

            with transaction.atomic():
                sweeps.wake("undone")
                transaction.set_rollback(True)
            with transaction.atomic():
                sweeps.wake("schedule")

            word = next(listener.notifies(timeout=10)).payload
        assert word == "schedule"


def _test_database() -> str:
    base = settings.DATABASES["default"]
    return psycopg.conninfo.make_conninfo(
        host=base["HOST"],
        port=base["PORT"],
        user=base["USER"],
        password=base["PASSWORD"],
        dbname=base["NAME"],
    )


class TestEvery:
    def test_registers_a_sweep_under_its_apps_name(self) -> None:
        assert sweeps.SWEEPS["common.forget_idempotency_keys"].seconds == 3600
