"""Inside `web` a person on one of our pages needs no key."""

import httpx
import pytest
from django.test import Client

from controlplane.asgi import application
from tests import make as common
from tests.apps.serving.gateway import make
from tests.apps.serving.gateway.server import serving

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def web():
    with serving(application) as base:
        yield base


def cookie(person) -> str:
    client = Client()
    client.force_login(person)
    return f"sessionid={client.cookies['sessionid'].value}"


def predict(web, endpoint, **headers):
    url = f"{web}/api/v1/endpoints/{endpoint.id}/predict"
    return httpx.post(url, headers=headers, json=make.BODY, timeout=20)


class TestSession:
    def test_of_a_member_is_a_proof(self, web, replica):
        endpoint = make.endpoint(replica)
        person = common.member(endpoint.project)

        answer = predict(web, endpoint, Cookie=cookie(person), Origin=web)

        assert answer.status_code == 200, answer.text

    @pytest.mark.parametrize("origin", ["https://elsewhere.example", "null", "", "http://["])
    def test_on_another_page_is_refused(self, web, replica, origin):
        endpoint = make.endpoint(replica)
        person = common.member(endpoint.project)

        answer = predict(web, endpoint, Cookie=cookie(person), Origin=origin)

        assert (answer.status_code, answer.json()["code"]) == (403, "origin_refused")

    def test_of_a_stranger_finds_nothing(self, web, replica):
        answer = predict(web, make.endpoint(replica), Cookie=cookie(common.user()), Origin=web)

        assert answer.status_code == 404

    def test_that_is_over_is_none(self, web, replica):
        answer = predict(web, make.endpoint(replica), Cookie="sessionid=nonsense", Origin=web)

        assert (answer.status_code, answer.json()["code"]) == (401, "key_needed")

    def test_leaves_keys_and_pages_as_they_are(self, web, replica):
        endpoint = make.endpoint(replica)
        _, key = make.key(endpoint)

        assert predict(web, endpoint, **key).status_code == 200
        assert httpx.get(f"{web}/healthz").status_code == 200
        assert httpx.get(f"{web}/api/v1/projects").status_code == 401


class TestGatewayProcess:
    def test_takes_no_cookie(self, predict, replica):
        endpoint = make.endpoint(replica)
        person = common.member(endpoint.project)

        answer = predict(endpoint, {"Cookie": cookie(person), "Origin": predict.base})

        assert answer.status_code == 401

    def test_says_how_it_stands(self, predict, replica):
        endpoint = make.endpoint(replica)
        _, key = make.key(endpoint)
        predict(endpoint, key)

        ready = predict.client.get("/readyz")

        assert ready.status_code == 200
        body = ready.json()
        assert (body["status"], body["endpoints"], body["replicas_connected"]) == ("ok", 1, 1)
        assert 0 <= body["routes_age_seconds"] < 10
        assert predict.client.get("/healthz").json() == {"status": "ok"}
