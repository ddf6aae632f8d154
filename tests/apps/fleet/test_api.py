from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.common.ids import uuid7
from apps.fleet import services
from apps.fleet.models import Device, Node
from tests import make
from tests.apps.fleet.hosts import Host
from tests.make import NOON

pytestmark = pytest.mark.django_db


def client_of(user: User) -> Client:
    client = Client(headers={"Accept": "application/json"})
    client.force_login(user)
    return client


@pytest.fixture
def operator() -> Client:
    return client_of(make.user(is_operator=True))


@pytest.fixture
def person() -> Client:
    return client_of(make.user())


class TestNodes:
    def test_are_seen_by_whoever_is_signed_in(self, person: Client) -> None:
        node = make.node(name="alpha", reserved_cpu_millis=1000, facts={"driver": "580.1"})
        Device.objects.create(node=node, uuid="GPU-1", index=0, name="H100", memory_bytes=80 << 30)
        body = person.get("/api/v1/nodes").json()

        (told,) = body["results"]
        assert told["name"] == "alpha"
        assert told["contact"] == "fresh"
        assert told["reserved_cpu_millis"] == 1000
        assert told["facts"] == {"driver": "580.1"}
        assert told["devices"][0]["uuid"] == "GPU-1"
        assert person.get(f"/api/v1/nodes/{node.id}").json() == told
        assert "secret" not in str(body)

    def test_say_in_the_readers_language_why_their_jobs_are_not_isolated(
        self, person: Client
    ) -> None:
        told = {"profile": "none", "reason": {"code": "isolation_not_installed"}}
        node = make.node(isolation=told)

        def text(language: str) -> str:
            answer = person.get(f"/api/v1/nodes/{node.id}", headers={"Accept-Language": language})
            assert answer.json()["isolation"]["limits"] == []
            return str(answer.json()["isolation"]["reason"]["text"])

        assert text("en").startswith("Bubblewrap is not installed on this node.")
        assert text("zh-CN").startswith("该节点未安装 Bubblewrap。")

    def test_are_seen_by_nobody_else(self, client: Client) -> None:
        node = make.node()

        assert client.get("/api/v1/nodes").status_code == 401
        assert client.get(f"/api/v1/nodes/{node.id}").status_code == 401

    def test_are_found_by_name(self, person: Client) -> None:
        make.node(name="alpha")
        make.node(name="beta")

        found = person.get("/api/v1/nodes?name=beta").json()["results"]
        assert [node["name"] for node in found] == ["beta"]

    def test_are_not_listed_once_removed(self, person: Client) -> None:
        node = make.node(removed_at=NOON)

        assert person.get("/api/v1/nodes").json()["results"] == []
        assert person.get(f"/api/v1/nodes/{node.id}").status_code == 404

    def test_cost_no_query_each(self, person: Client, django_assert_max_num_queries) -> None:
        for _ in range(5):
            make.node()
        with django_assert_max_num_queries(5):
            person.get("/api/v1/nodes")

    def test_are_cordoned_and_uncordoned_by_operators(self, operator: Client) -> None:
        path = f"/api/v1/nodes/{make.node().id}"

        cordoned = operator.post(f"{path}/cordon", content_type="application/json").json()
        assert (cordoned["cordoned_at"] is not None, cordoned["cordon_reason"]) == (True, "")
        assert operator.post(f"{path}/uncordon").json()["cordoned_at"] is None

    def test_say_why_they_are_cordoned(self, operator: Client) -> None:
        path = f"/api/v1/nodes/{make.node().id}"
        why = {"reason": "风扇 broken"}

        operator.post(f"{path}/cordon", why, content_type="application/json")

        assert operator.get(path).json()["cordon_reason"] == "风扇 broken"
        assert operator.post(f"{path}/uncordon").json()["cordon_reason"] == ""

    @pytest.mark.parametrize("body", [{"reason": "x" * 201}, {"raison": "x"}])
    def test_are_not_cordoned_for_what_cannot_be_kept(
        self, operator: Client, body: dict[str, str]
    ) -> None:
        answer = operator.post(
            f"/api/v1/nodes/{make.node().id}/cordon", body, content_type="application/json"
        )

        assert answer.status_code == 400
        assert [error["field"] for error in answer.json()["errors"]] == list(body)

    def test_are_removed_by_operators(self, operator: Client) -> None:
        node = make.node()

        assert operator.delete(f"/api/v1/nodes/{node.id}").status_code == 204
        assert operator.delete(f"/api/v1/nodes/{node.id}").status_code == 404

    def test_with_work_are_not_removed(self, operator: Client) -> None:
        node = make.node(name="alpha", reserved_cpu_millis=1000)
        answer = operator.delete(f"/api/v1/nodes/{node.id}")

        assert answer.status_code == 409
        assert answer.json()["code"] == "node_busy"
        assert "alpha" in answer.json()["detail"]

    @pytest.mark.parametrize(
        ("method", "path"), [("post", "/cordon"), ("post", "/uncordon"), ("delete", "")]
    )
    def test_are_changed_by_nobody_else(self, person: Client, method: str, path: str) -> None:
        node = make.node()
        answer = getattr(person, method)(f"/api/v1/nodes/{node.id}{path}")

        assert answer.status_code == 403
        assert answer.json()["code"] == "operator_needed"
        assert Node.objects.get() == node


class TestEvents:
    def test_tell_what_happened_to_a_node_the_newest_first(
        self, operator: Client, person: Client
    ) -> None:
        joined = Host().join(name="alpha")
        path = f"/api/v1/nodes/{joined.node}"
        operator.post(f"{path}/cordon", {"reason": "hot"}, content_type="application/json")
        operator.delete(path)

        body = person.get(f"{path}/events").json()

        told = [(event["kind"], event["actor_kind"], event["detail"]) for event in body["results"]]
        assert told == [
            ("removed", "user", {}),
            ("cordoned", "user", {"reason": "hot"}),
            ("joined", "node", {}),
        ]

    def test_are_paged_and_filtered_by_kind(self, person: Client) -> None:
        node = make.node(contact="suspect")
        for minute in range(3):
            services.renew_contact(node_ids=[node.id], at=NOON + timedelta(minutes=2 * minute))
            services.mark_silent_nodes(at=NOON + timedelta(minutes=2 * minute + 1))
        path = f"/api/v1/nodes/{node.id}/events"

        first = person.get(f"{path}?limit=2&kind=contact").json()
        second = person.get(f"{path}?limit=9&kind=contact&cursor={first['next']}").json()

        seen = [event["detail"]["to"] for event in first["results"] + second["results"]]
        assert seen == ["suspect", "fresh"] * 3
        assert person.get(f"{path}?kind=joined").json()["results"] == []
        assert person.get(f"{path}?kind=nonsense").status_code == 400

    def test_of_no_node_are_not_there(self, person: Client) -> None:
        assert person.get(f"/api/v1/nodes/{uuid7()}/events").status_code == 404


class TestJoinTokens:
    def test_say_which_node_they_let_in(self, operator: Client) -> None:
        made = operator.post("/api/v1/nodes/join-tokens").json()
        path = f"/api/v1/nodes/join-tokens/{made['id']}"
        assert operator.get(path).json()["used_by"] is None

        host = Host()
        joined = services.join(request=host.request(made["token"]), at=timezone.now())

        assert operator.get(path).json()["used_by"] == {"id": str(joined.node), "name": "alpha"}
        assert operator.get(f"/api/v1/nodes/{joined.node}").json()["join_token"] == made["id"]

    def test_are_made_by_operators_who_are_told_the_command(
        self, operator: Client, settings
    ) -> None:
        settings.PUBLIC_URL = "https://hall.example"
        answer = operator.post("/api/v1/nodes/join-tokens")

        body = answer.json()
        assert answer.status_code == 201
        assert body["command"] == f"datahall nodes join https://hall.example {body['token']}"
        assert body["url"] == "https://hall.example"

    def test_are_listed_without_their_text(self, operator: Client) -> None:
        text = operator.post("/api/v1/nodes/join-tokens").json()["token"]
        listed = operator.get("/api/v1/nodes/join-tokens")

        assert len(listed.json()["results"]) == 1
        assert text not in listed.content.decode()

    @pytest.mark.parametrize("method", ["get", "post"])
    def test_are_for_nobody_else(self, person: Client, method: str) -> None:
        assert getattr(person, method)("/api/v1/nodes/join-tokens").status_code == 403


class TestANodesBearer:
    def test_opens_no_door_of_people(self, client: Client) -> None:
        node = make.node()
        token = services._NODE_PREFIX + services._sign(
            "token", node.id, until=NOON.replace(year=2100)
        )
        answer = client.get("/api/v1/nodes", headers={"Authorization": f"Bearer {token}"})

        assert answer.status_code == 401
