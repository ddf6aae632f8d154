"""Orders: written with the decision, signed, published, pulled, settled."""

import json
import logging
import stat
import threading
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from celery import Celery
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import connection, transaction
from django.utils import timezone

from agents.protocol.envelope import (
    LIFETIME_SECONDS,
    TASK_NAME,
    Order,
    Refused,
    open_envelope,
    queue_of,
)
from apps.common import hub, keys
from apps.fleet import dispatch, selectors, services
from apps.fleet.models import Contact, Node, Outbox, SigningKey
from tests import make
from tests.apps.fleet.brokers import Broker
from tests.make import NOON

pytestmark = pytest.mark.django_db

TEN_MINUTES = timedelta(seconds=LIFETIME_SECONDS)


def order_start(node: Node, **changes: Any) -> UUID:
    workload = uuid4()
    dispatch.send_start(
        **{
            "node": node,
            "gang_id": uuid4(),
            "workload_id": workload,
            "fence": 7,
            "spec_sha256": "ab" * 32,
            **changes,
        }
    )
    return workload


def trusted() -> dict[str, Ed25519PublicKey]:
    return {
        kid: Ed25519PublicKey.from_public_bytes(b64decode(text))
        for kid, text in selectors.signing_keys().items()
    }


def opened(envelope: str, node: Node, at: datetime = NOON) -> Order:
    return open_envelope(envelope, node=node.id, keys=trusted(), now=at.timestamp())


def pulled(node: Node, at: datetime = NOON) -> list[Order]:
    return [opened(text, node, at) for text in selectors.envelopes_for(node.id, at=at)]


@pytest.fixture
def node() -> Node:
    return make.node(broker_secret_sha256="00" * 32)


class TestAnOrder:
    def test_is_pulled_once_it_is_signed(self, node: Node) -> None:
        workload = order_start(node)
        assert pulled(node) == []
        dispatch.sign_orders(at=NOON)

        (order,) = pulled(node)
        assert (order.op, order.workload, order.fence) == ("start", workload, 7)
        assert (order.aud, order.spec_sha256) == (node.id, "ab" * 32)
        assert (order.iat, order.exp) == (
            int(NOON.timestamp()),
            int(NOON.timestamp()) + LIFETIME_SECONDS,
        )

    def test_holds_only_with_the_decision_it_follows_from(self, node: Node) -> None:
        with transaction.atomic():
            order_start(node)
            transaction.set_rollback(True)
        dispatch.sign_orders(at=NOON)

        assert pulled(node) == []

    def test_said_twice_is_one(self, node: Node) -> None:
        workload = order_start(node)
        order_start(node, workload_id=workload)

        assert Outbox.objects.count() == 1

    def test_is_not_for_another_node(self, node: Node) -> None:
        order_start(node)
        dispatch.sign_orders(at=NOON)
        other = make.node()

        assert pulled(other) == []
        with pytest.raises(Refused, match="not_for_this_node"):
            opened(selectors.envelopes_for(node.id, at=NOON)[0], other)

    def test_has_a_number_that_rises_and_a_name_of_its_own(self, node: Node) -> None:
        for _ in range(3):
            order_start(node)
        dispatch.sign_orders(at=NOON)

        orders = pulled(node)
        assert [o.seq for o in orders] == sorted({o.seq for o in orders})
        assert len({o.jti for o in orders}) == 3

    def test_to_stop_may_change_its_grace(self, node: Node) -> None:
        what = {"node": node, "gang_id": uuid4(), "workload_id": uuid4(), "fence": 7}
        dispatch.send_stop(**what, grace_seconds=30.0)
        dispatch.sign_orders(at=NOON)
        (patient,) = pulled(node)
        dispatch.send_stop(**what, grace_seconds=30.0)
        assert pulled(node) == [patient]

        dispatch.send_stop(**what, grace_seconds=0.0)
        dispatch.sign_orders(at=NOON)
        (hasty,) = pulled(node)
        assert (patient.grace_seconds, hasty.grace_seconds) == (30.0, 0.0)
        assert hasty.seq > patient.seq

    def test_that_is_settled_is_pulled_no_more(self, node: Node) -> None:
        workload = order_start(node)
        dispatch.sign_orders(at=NOON)
        dispatch.settle(workload_id=workload, fence=7, at=NOON)

        assert pulled(node) == []

    def test_of_another_fence_is_not_settled_with_it(self, node: Node) -> None:
        workload = order_start(node)
        order_start(node, workload_id=workload, fence=8)
        dispatch.settle(workload_id=workload, fence=7, at=NOON)
        dispatch.sign_orders(at=NOON)

        assert [order.fence for order in pulled(node)] == [8]

    def test_of_one_kind_is_settled_alone(self, node: Node) -> None:
        workload = order_start(node)
        dispatch.send_stop(
            node=node, gang_id=uuid4(), workload_id=workload, fence=7, grace_seconds=5
        )
        dispatch.settle(workload_id=workload, fence=7, at=NOON, op="start")
        dispatch.sign_orders(at=NOON)

        assert [order.op for order in pulled(node)] == ["stop"]

    def test_tells_the_nodes_link_to_look_once_it_is_signed(
        self, node: Node, monkeypatch, django_capture_on_commit_callbacks
    ) -> None:
        told: list[tuple[str, dict[str, Any]]] = []
        monkeypatch.setattr(hub, "tell", lambda topic, message: told.append((topic, message)))
        order_start(node)
        with django_capture_on_commit_callbacks(execute=True):
            dispatch.sign_orders(at=NOON)

        assert told == [(f"link.{node.id}", {"look": True})]


class TestSigning:
    def test_renews_what_is_about_to_run_out_unsettled(self, node: Node) -> None:
        order_start(node)
        dispatch.sign_orders(at=NOON)
        (first,) = pulled(node)
        later = NOON + TEN_MINUTES - timedelta(seconds=30)
        dispatch.sign_orders(at=later)

        (second,) = pulled(node, later)
        assert second.exp > first.exp
        assert second.jti != first.jti
        assert (second.workload, second.fence) == (first.workload, first.fence)

    def test_leaves_what_holds_alone(self, node: Node) -> None:
        order_start(node)
        assert dispatch.sign_orders(at=NOON) == 1

        assert dispatch.sign_orders(at=NOON + timedelta(minutes=5)) == 0

    def test_leaves_what_is_settled_or_for_a_removed_node_alone(self, node: Node) -> None:
        dispatch.settle(workload_id=order_start(node), fence=7, at=NOON)
        order_start(make.node(removed_at=NOON))

        assert dispatch.sign_orders(at=NOON) == 0

    @pytest.mark.django_db(transaction=True)
    def test_by_two_controllers_at_once_signs_each_order_once(self, node: Node) -> None:
        for _ in range(120):
            order_start(node)

        def sign(_: int) -> int:
            try:
                return sum(iter(lambda: dispatch.sign_orders(at=NOON), 0))
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as pool:
            assert sum(pool.map(sign, range(2))) == 120
        assert len({order.jti for order in pulled(node)}) == 120


class TestTheKey:
    def test_is_a_file_for_its_owner_alone_and_a_row_for_all(self, settings) -> None:
        row = services.ensure_signing_key()

        mode = settings.SIGNING_KEY_FILE.stat().st_mode
        assert stat.S_IMODE(mode) == 0o600
        assert bytes(row.public_key) not in settings.SIGNING_KEY_FILE.read_bytes()
        assert services.ensure_signing_key() == row
        assert SigningKey.objects.count() == 1

    def test_is_made_once_by_many_who_start_at_once(self, tmp_path: Path) -> None:
        path = tmp_path / "state" / "key"
        with ThreadPoolExecutor(8) as pool:
            made = pool.map(lambda _: keys.raw_public(keys.load_or_create(path)), range(8))

        assert len(set(made)) == 1
        assert [file.name for file in path.parent.iterdir()] == ["key"]

    @pytest.mark.parametrize("content", [b"", b"not a key"])
    def test_file_that_holds_none_is_never_overwritten(self, tmp_path: Path, content) -> None:
        path = tmp_path / "key"
        path.write_bytes(content)

        with pytest.raises(keys.KeyFileRefused):
            keys.load_or_create(path)
        assert path.read_bytes() == content

    def test_that_was_retired_is_trusted_no_more(self, node: Node) -> None:
        order_start(node)
        dispatch.sign_orders(at=NOON)
        (envelope,) = selectors.envelopes_for(node.id, at=NOON)
        SigningKey.objects.update(retired_at=NOON)

        with pytest.raises(Refused, match="bad_signature"):
            opened(envelope, node)


def queued(broker: Broker, node: Node) -> list[str]:
    """The envelopes in the node's queue, oldest first."""
    raw = broker.client().lrange(queue_of(node.id), 0, -1)
    messages = [json.loads(text) for text in reversed(raw)]
    assert {message["headers"]["task"] for message in messages} <= {TASK_NAME}
    return [json.loads(b64decode(message["body"]))[0][0] for message in messages]


class TestPublishing:
    def test_puts_the_envelope_on_the_nodes_own_queue(
        self, node: Node, broker: Broker, publisher: Celery
    ) -> None:
        workload = order_start(node)
        other = make.node(broker_secret_sha256="00" * 32)
        order_start(other)
        dispatch.sign_orders(at=NOON)
        assert dispatch.publish_orders(at=NOON) == 2

        (envelope,) = queued(broker, node)
        assert opened(envelope, node).workload == workload
        assert len(queued(broker, other)) == 1

    def test_is_done_once(self, node: Node, broker: Broker, publisher: Celery) -> None:
        order_start(node)
        dispatch.sign_orders(at=NOON)
        dispatch.publish_orders(at=NOON)

        assert dispatch.publish_orders(at=NOON + timedelta(minutes=1)) == 0
        assert len(queued(broker, node)) == 1

    def test_is_done_again_for_a_renewed_envelope(
        self, node: Node, broker: Broker, publisher: Celery
    ) -> None:
        order_start(node)
        for at in (NOON, NOON + TEN_MINUTES):
            dispatch.sign_orders(at=at)
            dispatch.publish_orders(at=at)

        assert len(set(queued(broker, node))) == 2

    def test_is_not_done_for_what_is_settled(
        self, node: Node, broker: Broker, publisher: Celery
    ) -> None:
        workload = order_start(node)
        dispatch.sign_orders(at=NOON)
        dispatch.settle(workload_id=workload, fence=7, at=NOON)

        assert dispatch.publish_orders(at=NOON) == 0

    def test_is_not_done_for_a_silent_node_until_it_is_back(
        self, node: Node, broker: Broker, publisher: Celery
    ) -> None:
        order_start(node)
        Node.objects.update(contact=Contact.SUSPECT.value)
        dispatch.sign_orders(at=NOON)
        assert dispatch.publish_orders(at=NOON) == 0

        services.renew_contact(node_ids=[node.id], at=NOON)
        assert dispatch.publish_orders(at=NOON) == 1

    def test_is_not_done_for_a_node_without_a_broker_user(
        self, broker: Broker, publisher: Celery
    ) -> None:
        order_start(make.node())
        dispatch.sign_orders(at=NOON)

        assert dispatch.publish_orders(at=NOON) == 0

    @pytest.mark.django_db(transaction=True)
    def test_by_two_controllers_at_once_publishes_each_order_once(
        self, node: Node, broker: Broker, publisher: Celery
    ) -> None:
        for _ in range(30):
            order_start(node)
        dispatch.sign_orders(at=NOON)

        def publish(_: int) -> int:
            try:
                return dispatch.publish_orders(at=NOON)
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as pool:
            assert sum(pool.map(publish, range(2))) == 30
        assert len(set(queued(broker, node))) == 30


class TestABrokerThatIsAway:
    def test_loses_nothing_and_gets_the_order_when_it_is_back(
        self, node: Node, broker: Broker, publisher: Celery
    ) -> None:
        order_start(node)
        dispatch.sign_orders(at=NOON)
        broker.stop()
        assert dispatch.publish_orders(at=NOON) == 0
        assert len(pulled(node)) == 1  # who pulls does not notice

        broker.start()
        assert dispatch.publish_orders(at=NOON + dispatch.REST * 2) == 1
        assert len(queued(broker, node)) == 1

    def test_is_told_of_without_the_order(
        self, node: Node, broker: Broker, publisher: Celery, caplog: pytest.LogCaptureFixture
    ) -> None:
        order_start(node)
        dispatch.sign_orders(at=NOON)
        broker.stop()
        with caplog.at_level(logging.WARNING):
            dispatch.publish_orders(at=NOON)

        assert "nodes pull them meanwhile" in caplog.text
        assert "of-the-test" not in caplog.text

    @pytest.mark.django_db(transaction=True)
    def test_by_hanging_keeps_nobody_from_settling_or_signing(
        self, node: Node, broker: Broker, publisher: Celery
    ) -> None:
        workload = order_start(node)
        dispatch.sign_orders(at=NOON)
        broker.freeze()
        hanging = threading.Event()

        def publish() -> int:
            hanging.set()
            try:
                return dispatch.publish_orders(at=NOON)
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as pool:
            publishing = pool.submit(publish)
            hanging.wait(10)
            while Outbox.objects.filter(claimed_until=None).exists():
                pass  # until it has claimed the order and talks to the broker
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '100ms'")
                dispatch.settle(workload_id=workload, fence=7, at=NOON)
            order_start(node)
            assert dispatch.sign_orders(at=NOON) == 1
            assert publishing.result(20) == 0
        assert len(pulled(node)) == 1

    def test_does_not_get_the_order_that_another_publisher_died_with_too_soon(
        self, node: Node, broker: Broker, publisher: Celery
    ) -> None:
        order_start(node)
        dispatch.sign_orders(at=NOON)
        Outbox.objects.update(claimed_until=NOON + dispatch.CLAIM)

        assert dispatch.publish_orders(at=NOON) == 0
        assert dispatch.publish_orders(at=NOON + dispatch.CLAIM + timedelta(seconds=1)) == 1


class TestNow:
    def test_is_when_a_node_pulls_unless_said_otherwise(self, node: Node) -> None:
        order_start(node)
        dispatch.sign_orders(at=timezone.now())

        assert len(selectors.envelopes_for(node.id)) == 1
