"""What was asked is counted exactly, told live, stored, and read again on a grid."""

import asyncio
import math
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from apps.common import hub
from apps.telemetry import histogram, selectors, services
from apps.telemetry.histogram import ERROR, bucket_of, percentile
from apps.telemetry.models import Traffic
from apps.telemetry.traffic import Tally, Window, decode_window
from tests import make as common
from tests.apps.serving.gateway import make
from tests.apps.serving.gateway.server import until

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class TestHistogram:
    @given(
        st.lists(st.floats(1, histogram.LONGEST_US), min_size=1, max_size=200),
        st.sampled_from([0.5, 0.95, 0.99, 1.0]),
    )
    def test_percentiles_are_at_most_5_percent_off(self, durations, share):
        counts: dict[int, int] = {}
        for duration in durations:
            bucket = bucket_of(duration)
            counts[bucket] = counts.get(bucket, 0) + 1
        exact = sorted(durations)[max(math.ceil(share * len(durations)), 1) - 1]

        read = percentile(counts, share)

        assert read is not None
        assert abs(read / exact - 1) <= ERROR + 1e-9 < 0.05

    def test_beyond_its_ends_counts_in_the_first_and_the_last(self):
        assert bucket_of(0) == 0
        assert bucket_of(1e12) == bucket_of(histogram.LONGEST_US * 1.05)

    def test_of_nothing_is_nothing(self):
        assert percentile({}, 0.5) is None


@pytest.mark.django_db(transaction=True)
class TestCounting:
    def test_is_exact(self, replica, predict):
        endpoint = make.endpoint(replica)
        _, key = make.key(endpoint)
        bodies = [make.BODY] * 7 + [{"inputs": {"image": make.IMAGE * 3}}] * 2 + [{}] * 4
        for body in bodies:
            predict(endpoint, key, body)
        predict(endpoint, {})

        rows = until(
            lambda: (
                (rows := list(Traffic.objects.all()))
                and sum(decode_window(bytes(row.data)).total.requests for row in rows) == 14
                and rows
            )
        )

        whole = Tally()
        for row in rows:
            assert row.endpoint_id == endpoint.id
            window = decode_window(bytes(row.data))
            assert sum(second.requests for second in window.seconds.values()) == (
                window.total.requests
            )
            whole.add(window.total)
        assert whole.statuses == {2: 9, 4: 5}
        assert whole.refused == {"inputs_missing": 4, "key_needed": 1}
        assert (whole.errors, whole.rows) == (0, 13)
        assert sum(whole.latencies.values()) == 9
        assert (whole.queue_us, whole.model_us) == (9 * 100, 9 * 2000)

    def test_is_told_while_it_happens(self, replica, predict):
        endpoint = make.endpoint(replica)
        _, key = make.key(endpoint)

        async def hear() -> str:
            heard: asyncio.Queue[str] = asyncio.Queue()
            inbox = hub.here().open(heard.put)
            inbox.watch(f"endpoint.{endpoint.id}")
            await heard.get()  # where the topic stands
            await asyncio.to_thread(predict, endpoint, key)
            try:
                async with asyncio.timeout(10):
                    return await heard.get()
            finally:
                await inbox.close()
                await hub.close_here()

        told = asyncio.run(hear())

        assert '"event":"traffic"' in told
        assert '"requests":1,"errors":0,"p50_ms":' in told


@pytest.mark.django_db
class TestRead:
    def window(self, **seconds: int) -> Window:
        tallies = {
            int(second[1:]): Tally(
                requests=count,
                errors=1,
                statuses={2: count - 1, 5: 1},
                refused={"queue_full": 1},
                latencies={bucket_of(5000): count},
                rows=count,
            )
            for second, count in seconds.items()
        }
        total = Tally()
        for tally in tallies.values():
            total.add(tally)
        return Window(total, tallies)

    def test_is_of_all_gateways_second_by_second(self):
        endpoint = uuid4()
        for gateway in (uuid4(), uuid4()):
            services.record_traffic(
                gateway=gateway, windows=[(endpoint, NOON, self.window(_2=5, _3=1))]
            )

        series = selectors.traffic(endpoint, NOON, NOON + timedelta(seconds=5))

        assert (series.start, series.step) == (NOON, 1)
        assert series.requests == [None, None, 10, 2, None]
        assert series.errors == [None, None, 2, 2, None]
        assert series.refused == {"queue_full": [None, None, 2, 2, None]}
        assert series.p99_ms[2] == pytest.approx(5, rel=0.05)
        assert series.rows == [None, None, 10, 2, None]

    def test_is_coarser_over_a_longer_time(self):
        endpoint = uuid4()
        windows = [
            (endpoint, NOON + timedelta(seconds=10 * i), self.window(_0=4, _9=4)) for i in range(6)
        ]
        services.record_traffic(gateway=uuid4(), windows=windows)

        series = selectors.traffic(endpoint, NOON, NOON + timedelta(hours=6))

        assert series.step == 30
        assert series.requests[:3] == [24, 24, None]

    def test_knows_each_window_once(self):
        endpoint, gateway = uuid4(), uuid4()
        for _ in range(2):
            services.record_traffic(gateway=gateway, windows=[(endpoint, NOON, self.window(_1=2))])

        assert Traffic.objects.count() == 1

    def test_forgets_after_a_month(self):
        services.record_traffic(gateway=uuid4(), windows=[(uuid4(), NOON, self.window(_1=2))])

        services.forget_traffic(at=NOON + timedelta(days=30))
        assert Traffic.objects.exists()
        services.forget_traffic(at=NOON + timedelta(days=31))

        assert not Traffic.objects.exists()


@pytest.mark.django_db
class TestApi:
    def get(self, endpoint, person, **query):
        url = f"/api/v1/projects/{endpoint.project.slug}/endpoints/{endpoint.name}/traffic"
        return Client().get(url, query, headers=common.bearer(person))

    def test_shows_the_last_hour(self):
        endpoint = make.endpoint()
        at = timezone.now() - timedelta(minutes=5)
        at = at.replace(second=0, microsecond=0)
        services.record_traffic(
            gateway=uuid4(), windows=[(endpoint.id, at, TestRead().window(_2=5))]
        )

        answer = self.get(endpoint, common.member(endpoint.project))

        assert answer.status_code == 200
        body = answer.json()
        assert body["step"] == 5
        assert sum(count or 0 for count in body["requests"]) == 5
        assert len(body["p99_ms"]) == len(body["requests"]) in (720, 721)

    def test_is_not_there_for_strangers(self):
        endpoint = make.endpoint()

        assert self.get(endpoint, common.user()).status_code == 404

    @pytest.mark.parametrize(
        ("since", "why"),
        [(-1, "traffic_range_backwards"), (8 * 86400, "traffic_range_too_long")],
    )
    def test_refuses_a_range_that_is_none(self, since, why):
        endpoint = make.endpoint()
        range = {
            "since": (NOON - timedelta(seconds=since)).isoformat(),
            "until": NOON.isoformat(),
        }

        answer = self.get(endpoint, common.member(endpoint.project), **range)

        assert answer.status_code == 422
        assert answer.json()["params"] == {"field": "since", "why": why}

    def test_refuses_a_time_before_all_others(self):
        endpoint = make.endpoint()

        answer = self.get(endpoint, common.member(endpoint.project), until="0001-01-01T00:00Z")

        assert answer.status_code == 400
        assert [error["field"] for error in answer.json()["errors"]] == ["until"]

    def test_of_what_has_no_possible_name_is_not_there(self):
        endpoint = make.endpoint()
        endpoint.name = "%00"

        answer = self.get(endpoint, common.member(endpoint.project))

        assert (answer.status_code, answer.json()["code"]) == (404, "endpoint_unknown")
