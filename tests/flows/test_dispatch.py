"""From a decision to a node's hands: real controller, broker, broker users and letterbox."""

import asyncio
import queue
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from celery import Celery
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import connection, transaction
from django.utils import timezone

from agents.node.letterbox import Letterbox
from agents.protocol.envelope import Order, open_envelope, queue_of
from agents.protocol.rest import BrokerAccess, JoinAnswer
from apps.common.sweeps import Sweep
from apps.fleet import broker as broker_users
from apps.fleet import dispatch, selectors, services, sweeps
from apps.fleet.models import Node, Outbox
from controlplane import celery as control
from controlplane.controller import Controller
from tests.apps.fleet.brokers import Broker
from tests.apps.fleet.hosts import Host, invite_now

pytestmark = pytest.mark.django_db(transaction=True)

WAIT = 30.0
SOON = 0.2  # the sweeps' own pace in these tests: nothing here waits for a clock of seconds


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def broker(tmp_path: Path, settings, monkeypatch) -> Iterator[Broker]:
    """The installation's only broker, the test's own."""
    own = Broker(tmp_path)
    own.start()
    settings.REDIS_URL = own.url
    settings.NODE_BROKER_URL = own.node_url
    settings.SIGNING_KEY_FILE = tmp_path / "signing.key"
    monkeypatch.setitem(dispatch.PATIENCE, "socket_timeout", 0.5)
    monkeypatch.setattr(sweeps, "_broker_users", broker_users.Users())
    app = Celery("control", broker=own.url, set_as_current=False)
    app.conf.task_ignore_result = True
    app.set_current()
    app.set_default()
    yield own
    own.stop()
    app.close()
    control.app.set_current()
    control.app.set_default()


@contextmanager
def controller(*, seconds: float = SOON) -> Iterator[Controller]:
    """A controller with the fleet's sweeps, at a quick pace or only by their words."""
    own = [
        Sweep("sign", seconds, "outbox", sweeps.sign_orders),
        Sweep("publish", seconds, "envelopes", sweeps.publish_orders),
        Sweep("users", seconds, "broker_users", sweeps.keep_broker_users_true),
    ]
    running = Controller(own)
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        yield running
    finally:
        running.stop()
        thread.join(WAIT)
        assert not thread.is_alive()


class Mailbox:
    """A node's letterbox, and the texts that it has handed over."""

    def __init__(self, node: UUID, access: BrokerAccess) -> None:
        self._got: queue.Queue[str] = queue.Queue()
        self._letterbox = Letterbox(node, access, self._take)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def next(self) -> str:
        return self._got.get(timeout=WAIT)

    def is_empty(self) -> bool:
        return self._got.empty()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(WAIT)
        self._loop.close()

    def _run(self) -> None:
        self._task = self._loop.create_task(self._letterbox.run())
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass

    async def _take(self, text: str) -> None:
        self._got.put(text)


@pytest.fixture
def joined(broker: Broker) -> JoinAnswer:
    services.ensure_signing_key()
    answer = services.join(request=Host().request(invite_now()), at=timezone.now())
    services.renew_contact(node_ids=[answer.node], at=timezone.now())
    return answer


@pytest.fixture
def node(joined: JoinAnswer) -> Node:
    return Node.objects.get(pk=joined.node)


@pytest.fixture
def mailbox(joined: JoinAnswer) -> Iterator[Mailbox]:
    assert joined.broker
    own = Mailbox(joined.node, joined.broker)
    yield own
    own.close()


def order_start(node: Node) -> UUID:
    workload = uuid4()
    with transaction.atomic():
        dispatch.send_start(
            node=node, gang_id=uuid4(), workload_id=workload, fence=7, spec_sha256="ab" * 32
        )
    return workload


def opened(text: str, joined: JoinAnswer) -> Order:
    """As the node itself does, with the keys that it was told when it joined."""
    keys = {
        kid: Ed25519PublicKey.from_public_bytes(b64decode(raw))
        for kid, raw in joined.signing_keys.items()
    }
    return open_envelope(text, node=joined.node, keys=keys, now=time.time())


def test_an_order_reaches_the_nodes_hands(
    broker: Broker, joined: JoinAnswer, node: Node, mailbox: Mailbox
) -> None:
    with controller():
        workload = order_start(node)
        order = opened(mailbox.next(), joined)

    assert (order.op, order.workload, order.fence) == ("start", workload, 7)
    assert broker.client().llen(queue_of(node.id)) == 0


def test_an_order_is_sent_by_its_words_alone(
    broker: Broker, joined: JoinAnswer, node: Node, mailbox: Mailbox
) -> None:
    """No sweep runs by itself in this test: NOTIFY alone gets the order out."""
    with controller(seconds=3600) as leading:
        assert leading.leads.wait(WAIT)
        until(lambda: broker_users.user_of(node.id) in broker.client().acl_users())
        workload = order_start(node)

        assert opened(mailbox.next(), joined).workload == workload


def test_orders_written_before_there_is_a_controller_are_sent(
    broker: Broker, joined: JoinAnswer, node: Node, mailbox: Mailbox
) -> None:
    workload = order_start(node)
    with controller():
        assert opened(mailbox.next(), joined).workload == workload


def test_a_broker_that_is_away_loses_nothing_and_the_pull_goes_on(
    broker: Broker, joined: JoinAnswer, node: Node, mailbox: Mailbox
) -> None:
    broker.stop()
    with controller():
        workload = order_start(node)
        until(lambda: bool(selectors.envelopes_for(node.id)))
        (pulled,) = selectors.envelopes_for(node.id)
        assert opened(pulled, joined).workload == workload
        assert Outbox.objects.get().published_at is None

        broker.start()
        assert opened(mailbox.next(), joined).workload == workload
        until(lambda: Outbox.objects.filter(published_at__isnull=False).exists())


def test_a_broker_that_forgot_its_users_and_messages_gets_the_next_order_through(
    broker: Broker, joined: JoinAnswer, node: Node, mailbox: Mailbox
) -> None:
    with controller():
        first = order_start(node)
        assert opened(mailbox.next(), joined).workload == first

        broker.stop()
        broker.forget_users()
        broker.start()
        second = order_start(node)
        assert opened(mailbox.next(), joined).workload == second


def test_two_controllers_send_each_order_once(
    broker: Broker, joined: JoinAnswer, node: Node, mailbox: Mailbox
) -> None:
    """For a moment both lead: the sweeps of two run at once."""
    workloads = {order_start(node) for _ in range(40)}
    with controller(), both_lead():
        got = [opened(mailbox.next(), joined) for _ in workloads]

    assert {order.workload for order in got} == workloads
    assert mailbox.is_empty()
    assert broker.client().llen(queue_of(node.id)) == 0


@contextmanager
def both_lead() -> Iterator[None]:
    """The same sweeps once more, by somebody who also believes to lead."""
    over = threading.Event()

    def work() -> None:
        try:
            while not over.is_set():
                sweeps.sign_orders()
                sweeps.publish_orders()
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(WAIT)


def test_a_worker_on_the_queue_never_asks_for_more_than_its_user_may(
    broker: Broker, joined: JoinAnswer, node: Node, mailbox: Mailbox
) -> None:
    with controller():
        until(lambda: broker_users.user_of(node.id) in broker.client().acl_users())
        broker.client().acl_log_reset()  # until then it was a stranger
        order_start(node)
        opened(mailbox.next(), joined)
        broker.stop()
        broker.start()
        order_start(node)
        opened(mailbox.next(), joined)

    refused = [entry for entry in broker.client().acl_log() if entry["reason"] != "auth"]
    assert refused == []
