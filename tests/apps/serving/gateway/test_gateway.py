"""The gateway's way of a request, against replicas on the wire."""

import json
import math
import socket
import struct
from datetime import timedelta
from threading import Event

import httpx
import pytest
from django.db import OperationalError
from django.utils import timezone

from agents.protocol.calls import Answer
from apps.common.events import publish
from apps.projects.models import Role
from apps.serving import routes
from apps.serving.events import EndpointMoved
from apps.serving.models import Key, ReplicaState
from apps.serving.models import Replica as ReplicaRow
from apps.workloads.models import Workload
from tests import make as common
from tests.apps.serving.gateway import make
from tests.apps.serving.gateway.make import BODY, IMAGE
from tests.apps.serving.gateway.replica import certificate
from tests.apps.serving.gateway.server import until

pytestmark = pytest.mark.django_db(transaction=True)


def moved(endpoint) -> None:
    publish(EndpointMoved(endpoint_id=endpoint.id, project_id=endpoint.project_id))


def code(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


class TestAnswer:
    def test_has_a_prediction_for_each_row(self, replica, predict):
        endpoint = make.endpoint(replica)
        _, key = make.key(endpoint)

        answer = predict(endpoint, key, {"inputs": {"image": IMAGE * 3}})

        assert answer.status_code == 200
        assert answer.json()["model"] == "digits@1"
        assert len(answer.json()["predictions"]) == 3
        assert answer.headers["content-type"] == "application/json"
        assert "queue;dur=0.100, model;dur=2.000, total;dur=" in answer.headers["server-timing"]
        assert answer.headers["x-request-id"]

    def test_comes_of_what_the_body_says(self, replica, predict):
        endpoint = make.endpoint(replica)
        _, key = make.key(endpoint)

        predict(endpoint, key)

        (call,) = replica.calls
        assert (call.kind, call.rows) == ("tensors", 1)
        assert struct.unpack("<4f", call.body) == (0.0, 0.25, 0.5, 1.0)

    def test_keeps_the_callers_request_id(self, replica, predict):
        endpoint = make.endpoint(replica)
        _, key = make.key(endpoint)

        answer = predict(endpoint, key, more={"X-Request-Id": "abc-1"})

        assert answer.headers["x-request-id"] == "abc-1"

    def test_to_raw_numbers_and_to_a_picture(self, replica, predict):
        endpoint = make.endpoint(replica)
        _, key = make.key(endpoint)
        raw, picture = struct.pack("<8f", *range(8)), b"\x89PNG\r\n\x1a\nrest"

        for body, kind in ((raw, "application/octet-stream"), (picture, "image/png")):
            answer = predict(endpoint, key, content=body, more={"Content-Type": kind})
            assert answer.status_code == 200

        numbers, image = replica.calls
        assert (numbers.kind, numbers.rows, numbers.body) == ("tensors", 2, raw)
        assert (image.kind, image.rows, image.body) == ("image/png", 1, picture)

    def test_comes_under_the_api_too(self, replica, predict):
        endpoint = make.endpoint(replica)
        _, key = make.key(endpoint)

        answer = predict.client.post(
            f"/api/v1/endpoints/{endpoint.id}/predict", headers=key, json=BODY
        )

        assert answer.status_code == 200


class TestBody:
    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            (b"{", (400, "malformed_json")),
            (b'{"inputs":{"image":[[[[NaN,0],[0,0]]]]}}', (400, "malformed_json")),
            (b'{"inputs":{"image":[[[[Infinity,0],[0,0]]]]}}', (400, "malformed_json")),
            (b"[" * 20_000, (413, "body_too_large")),
            (b"[" * 5_000, (400, "malformed_json")),
            (b"[]", (422, "inputs_missing")),
            (b'{"inputs":{}}', (422, "input_missing")),
            (b'{"inputs":{"image":[[[[0,0],[0,0]]]],"size":1}}', (422, "input_unknown")),
            (b'{"inputs":{"image":[[[[0,0],[0,0]]]]},"other":1}', (422, "input_unknown")),
            (b'{"inputs":{"image":[[[0,0],[0,0]]]}}', (422, "input_shape")),
            (b'{"inputs":{"image":[[[[0,0],[0]]]]}}', (422, "input_shape")),
            (b'{"inputs":{"image":[[[[0,0],[0,"1"]]]]}}', (422, "input_dtype")),
            (b'{"inputs":{"image":[[[[0,0],[0,true]]]]}}', (422, "input_dtype")),
            (b'{"inputs":{"image":[[[[0,0],[0,null]]]]}}', (422, "input_dtype")),
            (b'{"inputs":{"image":[[[[0,0],[0,1e39]]]]}}', (422, "input_not_finite")),
            (b'{"inputs":{"image":[]}}', (422, "input_rows")),
            (b'{"inputs":{"image":[%s]}}' % b",".join([b"[[[0,0],[0,0]]]"] * 5),
             (422, "input_rows")),
        ],
    )  # fmt: skip
    def test_in_json_is_refused_by_name(self, replica, predict, body, expected):
        endpoint = make.endpoint(replica)
        _, key = make.key(endpoint)

        answer = predict(endpoint, key, content=body, more={"Content-Type": "application/json"})

        assert code(answer) == expected
        assert replica.calls == []

    def test_of_another_shape_hears_which_it_should_be(self, replica, predict):
        endpoint = make.endpoint(replica)
        _, key = make.key(endpoint)

        answer = predict(endpoint, key, {"inputs": {"image": [[[[0, 0, 0], [0, 0, 0]]]]}})

        assert answer.json()["params"] == {
            "field": "image",
            "expected": "[n, 1, 2, 2]",
            "found": "[1, 1, 2, 3]",
        }

    @pytest.mark.parametrize(
        ("kind", "body", "expected"),
        [
            ("application/octet-stream", b"1" * 15, (422, "input_shape")),
            ("application/octet-stream", b"", (422, "input_shape")),
            ("application/octet-stream", struct.pack("<4f", 0, math.nan, 0, 0),
             (422, "input_not_finite")),
            ("application/octet-stream", bytes(16 * 5), (413, "body_too_large")),
            ("image/png", b"\xff\xd8\xff", (422, "picture_unreadable")),
            ("text/plain", b"{}", (415, "content_type_refused")),
            ("", b"{}", (415, "content_type_refused")),
        ],
    )  # fmt: skip
    def test_of_another_kind_is_refused(self, replica, predict, kind, body, expected):
        endpoint = make.endpoint(replica)
        _, key = make.key(endpoint)

        answer = predict(endpoint, key, content=body, more={"Content-Type": kind} if kind else {})

        assert code(answer) == expected

    def test_that_is_compressed_is_refused(self, replica, predict):
        endpoint = make.endpoint(replica)
        _, key = make.key(endpoint)

        answer = predict(endpoint, key, more={"Content-Encoding": "gzip"})

        assert code(answer) == (415, "content_type_refused")

    def test_that_comes_slowly_is_refused(self, impatient, replica, predict):
        endpoint = make.endpoint(replica)
        _, key = make.key(endpoint)
        host, port = predict.base.removeprefix("http://").split(":")

        with socket.create_connection((host, int(port)), timeout=20) as connection:
            head = (
                f"POST /v1/endpoints/{endpoint.id}/predict HTTP/1.1\r\nHost: x\r\n"
                f"Authorization: {key['Authorization']}\r\nContent-Type: application/json\r\n"
                "Content-Length: 100\r\n\r\n{"
            )
            connection.sendall(head.encode())
            answer = connection.recv(65536)

        assert answer.startswith(b"HTTP/1.1 408")
        assert b"body_too_slow" in answer

    def test_is_refused_in_the_callers_language(self, replica, predict):
        endpoint = make.endpoint(replica)
        _, key = make.key(endpoint)

        answer = predict(endpoint, key, {}, more={"Accept-Language": "zh-CN,zh;q=0.9"})

        assert "请求体" in answer.json()["detail"]


class TestProof:
    def test_is_needed(self, replica, predict):
        answer = predict(make.endpoint(replica), {})

        assert code(answer) == (401, "key_needed")
        assert answer.headers["www-authenticate"].startswith("Bearer")

    def test_by_an_unknown_key_or_secret_is_none(self, replica, predict):
        endpoint = make.endpoint(replica)
        id, key = make.key(endpoint)
        forged = f"Bearer dhk_{id.hex}_{'x' * 43}"

        assert code(predict(endpoint, {"Authorization": forged})) == (401, "key_unknown")
        Key.objects.all().delete()
        moved(endpoint)
        until(lambda: predict(endpoint, key).status_code == 401)
        assert code(predict(endpoint, key)) == (401, "key_unknown")

    def test_by_an_expired_key_is_none(self, replica, predict):
        endpoint = make.endpoint(replica)
        _, key = make.key(endpoint, expires_at=timezone.now() - timedelta(seconds=1))

        assert code(predict(endpoint, key)) == (401, "key_expired")

    def test_ends_when_a_key_is_revoked(self, replica, predict):
        endpoint = make.endpoint(replica)
        id, key = make.key(endpoint)
        assert predict(endpoint, key).status_code == 200

        Key.objects.filter(pk=id).update(revoked_at=timezone.now())
        moved(endpoint)

        until(lambda: predict(endpoint, key).status_code == 401, seconds=5)
        assert code(predict(endpoint, key)) == (401, "key_revoked")

    def test_by_a_key_of_another_endpoint_finds_nothing(self, replica, predict):
        endpoint, other = make.endpoint(replica), make.endpoint()
        _, key = make.key(other)

        assert code(predict(endpoint, key)) == (404, "not_found")

    def test_finds_no_deleted_endpoint(self, replica, predict):
        endpoint = make.endpoint(replica)
        _, key = make.key(endpoint)
        assert predict(endpoint, key).status_code == 200

        endpoint.deleted_at = timezone.now()
        endpoint.save()
        moved(endpoint)

        until(lambda: predict(endpoint, key).status_code == 404, seconds=5)

    def test_by_a_members_token_or_a_runs(self, replica, predict):
        endpoint = make.endpoint(replica)
        person = common.member(endpoint.project)

        assert predict(endpoint, common.bearer(person)).status_code == 200
        assert predict(endpoint, common.run_bearer(endpoint.project)).status_code == 200

    def test_by_a_strangers_token_finds_nothing(self, replica, predict):
        endpoint = make.endpoint(replica)
        headers = common.bearer(common.user())

        assert code(predict(endpoint, headers)) == (404, "not_found")
        assert code(predict("00000000-0000-7000-8000-000000000000", headers)) == (404, "not_found")

    def test_by_a_token_that_only_reads_is_refused(self, replica, predict):
        endpoint = make.endpoint(replica)
        person = common.member(endpoint.project)

        answer = predict(endpoint, common.bearer(person, common.Scope.READ))

        assert code(answer) == (403, "scope_needed")

    def test_by_a_viewer_is_refused(self, replica, predict):
        endpoint = make.endpoint(replica)
        viewer = common.member(endpoint.project, role=Role.VIEWER)

        assert code(predict(endpoint, common.bearer(viewer))) == (403, "role_needed")

    def test_by_a_token_of_nobody_is_none(self, replica, predict):
        answer = predict(make.endpoint(replica), {"Authorization": "Bearer dh_nonsense"})

        assert code(answer) == (401, "token_unknown")

    def test_is_remembered_with_the_minute(self, replica, predict):
        endpoint = make.endpoint(replica)
        id, key = make.key(endpoint)

        predict(endpoint, key)

        until(lambda: Key.objects.get(pk=id).last_used_at)


class TestRoad:
    def test_goes_to_whoever_has_the_fewest_outstanding(self, replicas, predict):
        busy, idle = replicas(), replicas()
        endpoint = make.endpoint(busy, idle)
        _, key = make.key(endpoint)
        until(lambda: predict(endpoint, key).status_code == 200 and busy.calls and idle.calls)
        busy.hold()
        asked = len(idle.calls) + len(busy.calls)
        waiting = [predict.soon(endpoint, key) for _ in range(2)]
        until(lambda: busy.held and len(idle.calls) + len(busy.calls) == asked + 2)
        before = len(idle.calls), len(busy.calls)

        for _ in range(5):
            assert predict(endpoint, key).status_code == 200

        assert (len(idle.calls) - before[0], len(busy.calls) - before[1]) == (5, 0)
        busy.release()
        assert [each.result().status_code for each in waiting] == [200, 200]

    def test_leads_past_one_that_drains(self, replicas, predict):
        draining, other = replicas(), replicas()
        draining.reply = lambda call: Answer(call.id, 503, code="draining")
        endpoint = make.endpoint(draining, other)
        _, key = make.key(endpoint)
        until(lambda: predict(endpoint, key).status_code == 200 and draining.calls)

        answers = [predict(endpoint, key).status_code for _ in range(4)]

        assert answers == [200] * 4
        assert len(draining.calls) == 1
        assert len(other.calls) >= 4

    def test_leads_past_one_that_breaks(self, replicas, predict):
        broken, other = replicas(), replicas()
        endpoint = make.endpoint(broken, other)
        _, key = make.key(endpoint)
        until(lambda: predict(endpoint, key).status_code == 200 and broken.calls and other.calls)
        broken.hold()
        waiting = [predict.soon(endpoint, key) for _ in range(2)]
        until(lambda: broken.held)

        broken.drop()

        assert [each.result().status_code for each in waiting] == [200, 200]

    def test_gives_up_what_was_lost_twice(self, replicas, predict):
        first, second = replicas(), replicas()
        endpoint = make.endpoint(first, second)
        _, key = make.key(endpoint)
        until(lambda: predict(endpoint, key).status_code == 200 and first.calls and second.calls)
        first.hold()
        second.hold()
        waiting = predict.soon(endpoint, key)

        for _ in range(2):
            until(lambda: first.held or second.held)
            (first if first.held else second).drop()

        assert code(waiting.result()) == (503, "no_replica_ready")

    def test_is_found_again_after_a_break(self, replica, predict):
        endpoint = make.endpoint(replica)
        _, key = make.key(endpoint)
        assert predict(endpoint, key).status_code == 200

        replica.drop()

        until(lambda: predict(endpoint, key).status_code == 200)
        assert replica.connections == 2

    def test_ends_where_nothing_is_ready_and_says_why(self, replica, predict):
        endpoint = make.endpoint(replica)
        _, key = make.key(endpoint)
        ReplicaRow.objects.update(
            state=ReplicaState.UNREACHABLE,
            reason={"code": "endpoint_unreachable", "params": {}},
        )

        answer = predict(endpoint, key)

        assert code(answer) == (503, "no_replica_ready")
        assert answer.json()["params"]["why"]["code"] == "endpoint_unreachable"
        assert answer.headers["retry-after"] == "2"

    def test_passes_on_what_the_replica_refuses(self, replica, predict):
        replica.reply = lambda call: Answer(
            call.id,
            422,
            code="picture_unreadable",
            params={"field": "image", "why": "it is cut off"},
        )
        endpoint = make.endpoint(replica)
        _, key = make.key(endpoint)

        assert code(predict(endpoint, key)) == (422, "picture_unreadable")

    def test_ends_with_the_endpoints_time(self, replica, predict):
        replica.hold()
        endpoint = make.endpoint(replica, timeout_seconds=0.2)
        _, key = make.key(endpoint)

        answer = predict(endpoint, key)

        assert code(answer) == (504, "prediction_timeout")
        assert answer.json()["params"] == {"seconds": 0.2}

    def test_is_not_taken_with_another_certificate(self, replicas, predict, tmp_path):
        endpoint = make.endpoint(replicas(), timeout_seconds=1.0)
        _, key = make.key(endpoint)

        workload = Workload.objects.get()
        Workload.objects.update(
            service={**workload.service, "certificate": certificate.__wrapped__()[0]}
        )

        assert code(predict(endpoint, key)) == (503, "no_replica_ready")


class TestLimits:
    def test_refuse_beyond_the_queue(self, replica, predict):
        replica.hold()
        endpoint = make.endpoint(replica, max_queue=2)
        _, key = make.key(endpoint)
        waiting = [predict.soon(endpoint, key) for _ in range(2)]
        until(lambda: replica.held == 2)

        answer = predict(endpoint, key)

        assert code(answer) == (429, "queue_full")
        assert answer.headers["retry-after"] == "1"
        replica.release()
        assert [each.result().status_code for each in waiting] == [200, 200]
        assert predict(endpoint, key).status_code == 200

    def test_refuse_bodies_beyond_what_is_held_also_while_one_comes(
        self, cramped, replica, predict
    ):
        endpoint = make.endpoint(replica)
        _, key = make.key(endpoint)
        body = json.dumps(BODY).encode().ljust(600)
        sent, rest = Event(), Event()
        json_key = {**key, "Content-Type": "application/json"}

        def slowly():
            yield body[:-1]
            sent.set()
            rest.wait(20)
            yield body[-1:]

        slow = predict.soon(endpoint, json_key, content=slowly())
        assert sent.wait(20)  # else it could be the one that finds no room
        until(lambda: predict(endpoint, json_key, content=body).status_code == 429, seconds=5)
        rest.set()

        assert slow.result().status_code == 200
        assert predict(endpoint, json_key, content=body).status_code == 200

    def test_refuse_beyond_the_keys_minute(self, replica, predict):
        endpoint = make.endpoint(replica)
        _, key = make.key(endpoint, requests_per_minute=2)
        assert [predict(endpoint, key).status_code for _ in range(2)] == [200, 200]

        answer = predict(endpoint, key)

        assert code(answer) == (429, "rate_limited")
        assert 0 < int(answer.headers["retry-after"]) <= 30

    def test_count_no_caller_who_has_hung_up(self, replica, predict):
        replica.hold()
        endpoint = make.endpoint(replica, max_queue=1)
        _, key = make.key(endpoint)
        url = f"{predict.base}/v1/endpoints/{endpoint.id}/predict"
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(url, headers=key, json=BODY, timeout=httpx.Timeout(20, read=0.2))
        replica.release()

        until(lambda: predict(endpoint, key).status_code == 200)

    def test_of_methods_and_paths(self, predict):
        path = f"/v1/endpoints/{make.endpoint().id}/predict"

        answer = predict.client.get(path)

        assert code(answer) == (405, "method_not_allowed")
        assert answer.headers["allow"] == "POST"
        assert code(predict.client.post("/v1/endpoints/x/y")) == (404, "not_found")


class TestTable:
    def test_serves_on_while_the_database_is_away(self, replica, predict, monkeypatch):
        endpoint = make.endpoint(replica)
        _, key = make.key(endpoint)
        assert predict(endpoint, key).status_code == 200

        def away(checkers):
            raise OperationalError("away")

        monkeypatch.setattr(routes, "read_table", away)
        until(lambda: predict.client.get("/readyz").json()["routes_age_seconds"] > 2.1)

        assert predict(endpoint, key).status_code == 200
        assert predict.client.get("/readyz").status_code == 200

    def test_survives_a_signature_that_makes_no_sense(self, replica, replicas, predict):
        twice = make.SIGNATURE["inputs"] * 2
        broken = make.endpoint(replicas(), signature={**make.SIGNATURE, "inputs": twice})
        endpoint = make.endpoint(replica)
        _, key = make.key(endpoint)
        _, other = make.key(broken)

        assert predict(endpoint, key).status_code == 200
        answer = predict(broken, other)

        assert code(answer) == (503, "no_replica_ready")
        assert answer.json()["params"]["why"]["code"] == "signature_unusable"
