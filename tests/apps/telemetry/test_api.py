from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from apps.common.ids import uuid7
from apps.telemetry import services
from tests import make
from tests.apps.telemetry import make as sent

pytestmark = pytest.mark.django_db


@pytest.fixture
def get():
    headers = make.bearer(make.user())
    return lambda path, **query: Client(headers=headers).get(f"/api/v1/{path}", query)


class TestSeries:
    def test_shows_readings_with_gaps(self, get):
        node, now = make.node(), timezone.now().replace(microsecond=0)
        start = now - timedelta(seconds=10)
        block = sent.block(1, start, {("", "load_1"): [0.5, None, 1.5]}, node=node.id)
        services.record_blocks(sent=[block], at=now)

        answer = get(
            f"nodes/{node.id}/series",
            since=start.isoformat(),
            until=(start + timedelta(seconds=4)).isoformat(),
        )

        assert answer.status_code == 200
        assert answer.json() == {
            "start": start.isoformat().replace("+00:00", "Z"),
            "step": 1,
            "source": "raw",
            "series": {"host": {"load_1": [0.5, None, 1.5, None]}},
            "gaps": [],
        }

    def test_shows_the_last_hour_unless_told_otherwise(self, get):
        answer = get(f"nodes/{make.node().id}/series")

        assert (answer.status_code, answer.json()["step"]) == (200, 5)

    def test_says_what_could_not_be_kept(self, get):
        node = make.node()
        services.lose_block(node_id=node.id, at=timezone.now())

        (gap,) = get(f"nodes/{node.id}/series").json()["gaps"]

        assert (gap["reason"], gap["blocks"]) == ("unreadable", 1)

    @pytest.mark.parametrize(
        ("query", "status", "code"),
        [
            ({"since": "2026-01-02T00:00Z", "until": "2026-01-01T00:00Z"}, 422, "range_backwards"),
            ({"since": "2026-01-01T00:00Z", "until": "2026-02-02T00:00Z"}, 422, "range_too_long"),
            ({"since": "2020-01-01T00:00Z", "until": "2020-01-02T00:00Z"}, 422, "range_not_kept"),
            ({"since": "2099-01-01T00:00Z", "until": "2099-01-02T00:00Z"}, 422, "range_ahead"),
            ({"since": "yesterday"}, 400, "input_refused"),
            ({"until": "0001-01-01T00:00Z"}, 400, "input_refused"),
        ],
    )
    def test_refuses_a_range_it_cannot_show(self, get, query, status, code):
        answer = get(f"nodes/{make.node().id}/series", **query)

        assert (answer.status_code, answer.json()["code"]) == (status, code)

    def test_knows_no_other_nodes(self, get):
        assert get(f"nodes/{uuid7()}/series").status_code == 404
        removed = make.node(removed_at=timezone.now())
        assert get(f"nodes/{removed.id}/series").status_code == 404

    def test_is_for_people_who_are_signed_in(self):
        node = make.node()
        assert Client().get(f"/api/v1/nodes/{node.id}/series").status_code == 401
        run = make.run_bearer(make.project())
        assert Client(headers=run).get(f"/api/v1/nodes/{node.id}/series").status_code == 403
