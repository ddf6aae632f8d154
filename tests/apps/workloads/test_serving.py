"""What is different about a workload that answers calls: a secret, no token, an address."""

import pytest

from agents.protocol.link import Service
from agents.protocol.specs import REPLICA_BEARER, ServeSpec, WorkloadSpec
from agents.protocol.workloads import WorkloadState
from apps.accounts.models import Token
from apps.common.ids import uuid7
from apps.workloads import bearers, services
from apps.workloads.models import Workload
from tests.apps.jobs.agent import Agent
from tests.apps.workloads import make
from tests.apps.workloads.make import NOON

pytestmark = pytest.mark.django_db

S = WorkloadState
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
GOOD = Service(host="10.0.0.7", port=40001, certificate=PEM)
KEPT = {"host": "10.0.0.7", "port": 40001, "certificate": PEM}


@pytest.fixture
def agent() -> Agent:
    agent = Agent(make.node())
    services.request_gang(
        project=make.project(),
        owner_kind="replica",
        owner_id=uuid7(),
        resources=make.resources(),
        specs=[WorkloadSpec(name="digits", payload=ServeSpec(), resources=make.resources())],
        priority=0,
        at=NOON,
    )
    return agent.take_order().ask()


def kept() -> Workload:
    return Workload.objects.get()


class TestTheYes:
    def test_brings_the_bearer_and_no_token(self, agent):
        assert agent.answer.answer == "yes"
        assert agent.answer.secrets == {
            REPLICA_BEARER: bearers.bearer_of(kept().id, agent.order.fence)
        }
        assert agent.answer.run_token == ""
        assert not Token.objects.exists()

    def test_of_a_run_brings_a_token_and_no_secrets(self):
        other = Agent(make.node())
        make.gang()

        answer = other.take_order().ask().answer

        assert answer.run_token.startswith("dhr_")
        assert answer.secrets == {}


class TestTheAddress:
    def test_comes_with_running(self, agent):
        agent.tell(S.RUNNING, service=GOOD)

        assert (kept().state, kept().service, kept().reason) == ("running", KEPT, None)

    def test_may_come_after_running_and_is_news(self, agent, published):
        agent.tell(S.RUNNING)
        published.clear()

        agent.tell(S.RUNNING, service=GOOD)

        assert kept().service == KEPT
        (event,) = published
        assert (event.name, event.owner_kind, event.state) == (
            "workload.moved",
            "replica",
            "running",
        )

    def test_is_no_news_twice(self, agent, published):
        agent.tell(S.RUNNING, service=GOOD)
        published.clear()

        agent.tell(S.RUNNING, service=GOOD)

        assert published == []

    def test_is_not_taken_from_one_that_is_to_stop(self, agent):
        agent.tell(S.RUNNING).tell(S.STOPPING)

        agent.tell(S.RUNNING, service=GOOD)

        assert kept().service is None

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("host", ""),
            ("host", "a" * 254),
            ("host", "10.0.0.7/x"),
            ("host", "a\0b"),
            ("port", 0),
            ("port", 65536),
            ("certificate", ""),
            ("certificate", "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"),
            ("certificate", PEM.replace("MIIB", "A" * 8192)),
        ],
    )
    def test_that_cannot_be_used_is_said(self, agent, field, value):
        bad = {"host": "h", "port": 1, "certificate": PEM} | {field: value}

        agent.tell(S.RUNNING, service=Service(**bad))

        assert kept().state == "running"
        assert kept().service is None
        assert kept().reason == {"code": "service_refused", "params": {"field": field}}

    @pytest.mark.parametrize("host", ["gpu-1.example.org", "localhost", "fe80::1", "::1"])
    def test_may_be_a_name_or_an_ipv6(self, agent, host):
        agent.tell(S.RUNNING, service=Service(host=host, port=1, certificate=PEM))

        assert kept().service["host"] == host
