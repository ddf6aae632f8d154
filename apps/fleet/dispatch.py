"""The outbox: the only voice to a node. An order is written with the decision that it follows from;
the controller signs it, tells the node to look, and hands it to the broker."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from celery import current_app
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from kombu.exceptions import OperationalError

from agents.protocol.envelope import LIFETIME_SECONDS, TASK_NAME, Order, queue_of, seal
from apps.common import hub, keys
from apps.common.ids import uuid7
from apps.common.sweeps import wake
from apps.fleet import selectors
from apps.fleet.models import Contact, Node, Outbox, SigningKey

log = logging.getLogger(__name__)

BATCH = 100
RENEW_BEFORE = timedelta(seconds=60)  # an order is never without an envelope that holds
CLAIM = timedelta(seconds=60)  # longer than a broker that hangs can hold up a batch
REST = timedelta(seconds=3)  # after the broker has failed
PATIENCE = {"max_retries": 0, "socket_timeout": 5, "socket_connect_timeout": 5}


# what services say, in their own transaction


def send_start(
    *, node: Node, gang_id: UUID, workload_id: UUID, fence: int, spec_sha256: str
) -> None:
    """Order a node to start a workload; to say it again changes nothing."""
    order = Outbox(
        node=node,
        op="start",
        gang_id=gang_id,
        workload_id=workload_id,
        fence=fence,
        spec_sha256=spec_sha256,
    )
    Outbox.objects.bulk_create([order], ignore_conflicts=True)
    wake("outbox")


def send_stop(
    *, node: Node, gang_id: UUID, workload_id: UUID, fence: int, grace_seconds: float
) -> None:
    """Order a node to stop a workload; who says it again may change the grace.

    An order that was obeyed is given again: the node runs what it had stopped, or says so.
    """
    order, created = Outbox.objects.get_or_create(
        node=node,
        workload_id=workload_id,
        fence=fence,
        op="stop",
        defaults={"gang_id": gang_id, "grace_seconds": grace_seconds},
    )
    if not created and (order.settled_at or order.grace_seconds != grace_seconds):
        # the envelope that is out is spent, or says the old grace: have another signed
        Outbox.objects.filter(pk=order.pk).update(
            grace_seconds=grace_seconds, expires_at=None, settled_at=None
        )
    wake("outbox")


def settle(
    *,
    workload_id: UUID,
    fence: int,
    at: datetime,
    op: str | None = None,
    node_id: UUID | None = None,
) -> None:
    """The orders of this workload, or those of one kind or node, have been obeyed or are void."""
    orders = Outbox.objects.filter(workload_id=workload_id, fence=fence, settled_at=None)
    if op is not None:
        orders = orders.filter(op=op)
    if node_id is not None:
        orders = orders.filter(node=node_id)
    orders.update(settled_at=at)


# what the controller does


def ensure_signing_key() -> SigningKey:
    """The key that orders are signed with, made on first use and known to every node."""
    return _signer()[0]


@transaction.atomic
def sign_orders(*, at: datetime) -> int:
    """Sign some of the orders that have no envelope, or one about to run out; how many."""
    orders = list(
        Outbox.objects.select_for_update(skip_locked=True, of=("self",))
        .filter(Q(expires_at=None) | Q(expires_at__lt=at + RENEW_BEFORE), settled_at=None)
        .filter(node__removed_at=None)
        .order_by("id")[:BATCH]
    )
    if not orders:
        return 0
    row, key = _signer()
    for order, seq in zip(orders, _sequence(len(orders)), strict=True):
        order.envelope = seal(_payload(order, kid=row.kid, seq=seq, at=at), key)
        order.expires_at = at + timedelta(seconds=LIFETIME_SECONDS)
        order.published_at = order.claimed_until = None
    Outbox.objects.bulk_update(orders, ["envelope", "expires_at", "published_at", "claimed_until"])
    for node_id in {order.node_id for order in orders}:
        transaction.on_commit(partial(hub.tell, f"link.{node_id}", {"look": True}))
    wake("envelopes")
    return len(orders)


def publish_orders(*, at: datetime) -> int:
    """Hand some envelopes to the broker; how many it took.

    No lock is held meanwhile: a broker that hangs keeps nobody from settling an order. What it does
    not take stays, and is tried again.
    """
    if not selectors.has_broker():
        return 0
    orders = _claim(at)
    if not orders:
        return 0
    sent = 0
    try:
        # a connection of this batch's own, tried once: the next sweep is the retry
        with current_app.connection_for_write(transport_options=PATIENCE) as broker:
            for order in orders:
                current_app.send_task(
                    TASK_NAME,
                    args=[order.envelope],
                    queue=queue_of(order.node_id),
                    connection=broker,
                    retry=False,
                    ignore_result=True,
                )
                signed = Outbox.objects.filter(pk=order.pk, envelope=order.envelope)
                signed.update(published_at=at)
                sent += 1
    except OperationalError as error:
        log.warning("the broker takes no orders, nodes pull them meanwhile: %s", error)
    finally:
        if left := [order.pk for order in orders[sent:]]:
            Outbox.objects.filter(pk__in=left).update(claimed_until=at + REST)
    return sent


def _claim(at: datetime) -> Sequence[Outbox]:
    """Envelopes that are this publisher's for a while: two controllers share the work."""
    with transaction.atomic():
        orders = list(
            Outbox.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(Q(claimed_until=None) | Q(claimed_until__lt=at))
            .filter(settled_at=None, published_at=None, expires_at__gt=at)
            # a silent node pulls when it is back; until then its queue would only grow
            .filter(node__removed_at=None, node__contact=Contact.FRESH.value)
            .exclude(node__broker_secret_sha256="")
            .order_by("id")[:BATCH]
        )
        Outbox.objects.filter(pk__in=[order.pk for order in orders]).update(
            claimed_until=at + CLAIM
        )
    return orders


def _payload(order: Outbox, *, kid: str, seq: int, at: datetime) -> Order:
    issued = int(at.timestamp())
    return Order(
        kid=kid,
        aud=order.node_id,
        seq=seq,
        jti=uuid7(),
        iat=issued,
        exp=issued + LIFETIME_SECONDS,
        op="start" if order.op == "start" else "stop",
        gang=order.gang_id,
        workload=order.workload_id,
        fence=order.fence,
        spec_sha256=order.spec_sha256,
        grace_seconds=order.grace_seconds,
    )


def _sequence(count: int) -> list[int]:
    """Numbers that rise for every node, as they rise for all: no node's row is locked for one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('fleet_order_seq') FROM generate_series(1, %s)", [count])
        return [seq for (seq,) in cursor.fetchall()]


def _signer() -> tuple[SigningKey, Ed25519PrivateKey]:
    key = keys.load_or_create(settings.SIGNING_KEY_FILE)
    public = keys.raw_public(key)
    row, _ = SigningKey.objects.get_or_create(
        kid=keys.kid_of(public), defaults={"public_key": public}
    )
    return row, key
