"""Everything that changes nodes: how they come in, what they offer, what is kept on them."""

import base64
import binascii
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidSignature
from django.conf import settings
from django.core import signing
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Greatest, Least
from django.utils import timezone

from agents.protocol import PROTOCOL_VERSION
from agents.protocol.base import Reason, Resources
from agents.protocol.faults import Action, FaultKind, code_of, verdict
from agents.protocol.link import DeviceInfo, DeviceReport, Hello, Inventory, Welcome, utc
from agents.protocol.rest import (
    NODE_DOMAIN,
    BrokerAccess,
    JoinAnswer,
    JoinRequest,
    TokenAnswer,
    TokenRequest,
)
from apps.accounts import credentials
from apps.accounts.models import User
from apps.audit import services as audit
from apps.common import hub, keys, reasons
from apps.common.actors import SYSTEM, Actor, ActorKind
from apps.common.errors import DomainError, NotFound
from apps.common.events import publish
from apps.common.guards import check_deletion
from apps.common.sweeps import wake
from apps.fleet import broker, dispatch, inventory, selectors
from apps.fleet.events import NodeJoined, NodeMoved, RoomChanged
from apps.fleet.models import (
    Contact,
    Device,
    JoinToken,
    Node,
    NodeEvent,
    Outbox,
    SigningKey,
    SpentNonce,
)

JOIN_TOKEN_LIFETIME = timedelta(minutes=15)
NONCE_LIFETIME = timedelta(seconds=60)
NODE_TOKEN_LIFETIME = timedelta(minutes=15)
SILENCE = timedelta(seconds=40)  # after this a node gets no new work
OLDEST_PROTOCOL = PROTOCOL_VERSION - 1

MOST_EVENTS = 2000  # kept of one node

Kind = NodeEvent.Kind

_JOIN_PREFIX = "dhj_"
_NODE_PREFIX = "dhn_"
_NAME_TRIES = 20
_MOST_MILLISECONDS = 2**31 - 1


class JoinTokenUnknown(DomainError):
    """The join token is not one of this installation."""

    status = 403


class JoinTokenUsed(DomainError):
    """The join token has let a node in already."""

    status = 403


class JoinTokenExpired(DomainError):
    """The join token's time is over."""

    status = 403


class PublicKeyRefused(DomainError):
    """The text is no Ed25519 public key in base64."""

    status = 422


class NameTaken(DomainError):
    """Too many nodes are called like this."""


class NodeCredentialRefused(DomainError):
    """The node has not proved to be who it says it is."""

    status = 401


class NodeRemoved(DomainError):
    """The node was removed from this installation."""

    status = 403


class AgentTooOld(DomainError):
    """The agent speaks a version of the protocol that is no longer served."""


class NoRoom(DomainError):
    """The node has no longer the room that it was chosen for."""


class NodeBusy(DomainError):
    """Work is kept on the node."""


# joining


@transaction.atomic
def create_join_token(*, created_by: User, actor: Actor, at: datetime) -> tuple[JoinToken, str]:
    """An invitation for one node, and its text, which is told this once."""
    text = _JOIN_PREFIX + credentials.new_secret()
    token = JoinToken.objects.create(
        secret_sha256=credentials.sha256(text),
        created_by=created_by,
        expires_at=at + JOIN_TOKEN_LIFETIME,
    )
    audit.record(actor, "join_token.create", token)
    return token, text


@transaction.atomic
def join(*, request: JoinRequest, at: datetime) -> JoinAnswer:
    """Let a node in: a good token buys an identity for the key that the node made itself."""
    public_key = _public_key(request.public_key)
    inventory.check(request.inventory)
    token = _spend(request.token, at=at)
    broker_secret = credentials.new_secret() if selectors.has_broker() else ""
    node = _create_node(
        request,
        public_key=public_key,
        broker_secret_sha256=credentials.sha256(broker_secret) if broker_secret else "",
    )
    _take_devices(node, request.inventory.devices)
    JoinToken.objects.filter(pk=token.pk).update(node=node)
    itself = Actor(ActorKind.NODE, node.id, node.name)
    audit.record(itself, "node.join", node, name=node.name, invited_by=str(token.created_by_id))
    _note(Kind.JOINED, node.id, actor=itself, at=at)
    publish(NodeMoved(node_id=node.id))
    publish(NodeJoined(node_id=node.id, node_name=node.name, join_token_id=token.id))
    wake("broker_users")
    return JoinAnswer(
        node=node.id,
        name=node.name,
        signing_keys=selectors.signing_keys(),
        broker=BrokerAccess(
            url=settings.NODE_BROKER_URL,
            username=broker.user_of(node.id),
            password=broker_secret,
        )
        if broker_secret
        else None,
    )


def _public_key(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
        keys.public_key(raw)
    except (binascii.Error, ValueError) as error:
        raise PublicKeyRefused from error
    return raw


def _spend(text: str, *, at: datetime) -> JoinToken:
    """Take the token, or say why not: only who holds the token's text learns that."""
    tokens = JoinToken.objects.filter(secret_sha256=credentials.sha256(text))
    # who asks at the same time waits here, and then finds it used
    if tokens.filter(used_at=None, expires_at__gt=at).update(used_at=at):
        return tokens.get()
    token = tokens.first()
    if token is None:
        raise JoinTokenUnknown
    if token.used_at is not None:
        raise JoinTokenUsed
    raise JoinTokenExpired


def _create_node(request: JoinRequest, *, public_key: bytes, broker_secret_sha256: str) -> Node:
    """The node's row, under the name it asked for or the next one that is free."""
    wanted = inventory.name_from(request.name, request.inventory.hostname)
    node = Node(public_key=public_key, broker_secret_sha256=broker_secret_sha256)
    _take_offer(node, request.inventory)
    for _ in range(_NAME_TRIES):
        node.name = _free_name(wanted)
        try:
            with transaction.atomic():
                node.save(force_insert=True)
        except IntegrityError:
            continue  # somebody took the name in this moment
        return node
    raise NameTaken(name=wanted)


def _free_name(wanted: str) -> str:
    taken = set(
        Node.objects.filter(removed_at=None, name__startswith=wanted).values_list("name", flat=True)
    )
    number = 1
    name = wanted
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    return name


# the node's credential


@dataclass(frozen=True)
class _Claims:
    """What a signed text of ours says: for which node, and until when."""

    node_id: UUID
    until: float


def challenge(*, node_id: UUID, at: datetime) -> str:
    """A nonce for a node to sign.

    It costs nothing to give out and says nothing about who is there: nothing is proved yet.
    """
    return _sign("nonce", node_id, until=at + NONCE_LIFETIME, more=secrets.token_hex(16))


def issue_node_token(*, request: TokenRequest, at: datetime) -> TokenAnswer:
    """A bearer for whoever signs a fresh nonce with the node's key."""
    claims = _read("nonce", request.nonce, at=at)
    node = Node.objects.filter(pk=request.node).first()
    if claims is None or claims.node_id != request.node or node is None:
        raise NodeCredentialRefused
    _check_signature(node, request)
    if node.removed_at is not None:
        raise NodeRemoved
    _, fresh = SpentNonce.objects.get_or_create(nonce_sha256=credentials.sha256(request.nonce))
    if not fresh:
        raise NodeCredentialRefused
    return TokenAnswer(
        token=_NODE_PREFIX + _sign("token", node.id, until=at + NODE_TOKEN_LIFETIME),
        expires_in=int(NODE_TOKEN_LIFETIME.total_seconds()),
        server_time=at.timestamp(),
        signing_keys=selectors.signing_keys(),
    )


def node_of_token(raw: str, *, at: datetime | None = None) -> Node | None:
    """The node that speaks with this bearer; None if it is not a living one."""
    if not raw.startswith(_NODE_PREFIX):
        return None
    claims = _read("token", raw.removeprefix(_NODE_PREFIX), at=at or timezone.now())
    if claims is None:
        return None
    return Node.objects.filter(pk=claims.node_id, removed_at=None).first()


def forget_nonces(*, before: datetime) -> None:
    """Drop nonces that nobody could use again anyway."""
    SpentNonce.objects.filter(created_at__lt=before).delete()


def forget_spent(*, before: datetime) -> int:
    """Drop invitations and orders that have been over for long; how many."""
    tokens = JoinToken.objects.filter(Q(expires_at__lt=before) | Q(used_at__lt=before))
    return tokens.delete()[0] + Outbox.objects.filter(settled_at__lt=before).delete()[0]


def _check_signature(node: Node, request: TokenRequest) -> None:
    try:
        signature = base64.b64decode(request.signature, validate=True)
        keys.public_key(bytes(node.public_key)).verify(
            signature, NODE_DOMAIN + request.nonce.encode()
        )
    except (binascii.Error, ValueError, InvalidSignature) as error:
        raise NodeCredentialRefused from error


def _sign(kind: str, node_id: UUID, *, until: datetime, more: str = "") -> str:
    return _signer(kind).sign(f"{node_id.hex}.{int(until.timestamp())}.{more}")


def _read(kind: str, text: str, *, at: datetime) -> _Claims | None:
    try:
        node, until, _ = _signer(kind).unsign(text).split(".")
    except signing.BadSignature:
        return None
    claims = _Claims(UUID(hex=node), float(until))
    return claims if at.timestamp() < claims.until else None


def _signer(kind: str) -> signing.Signer:
    # the salt keeps a nonce from ever being a token
    return signing.Signer(sep="~", salt=f"datahall.fleet.{kind}")


def ensure_signing_key() -> SigningKey:
    """The key that orders are signed with, made on first use and known to every node."""
    return dispatch.ensure_signing_key()


# what a node says of itself


@transaction.atomic
def hello(*, node_id: UUID, hello: Hello, at: datetime) -> Welcome:
    """A node opens its link: take down what it is, tell it how far its reports got."""
    if hello.protocol_version < OLDEST_PROTOCOL:
        raise AgentTooOld(speaks=hello.protocol_version, oldest=OLDEST_PROTOCOL)
    inventory.check(hello.inventory)
    inventory.check_text("agent_version", hello.agent_version, 32)
    inventory.check_text("boot_id", hello.boot_id, 64)
    node = _lock(node_id)
    _note_changes(node, hello, at=at)
    _take_offer(node, hello.inventory)
    node.boot_id = hello.boot_id
    node.agent_version = hello.agent_version
    node.protocol_version = min(max(hello.protocol_version, 0), 2**15 - 1)
    node.clock_offset_ms = _milliseconds(hello.sent_at - at.timestamp())
    node.contact = Contact.FRESH.value
    node.last_contact_at = at
    node.save()
    _take_devices(node, hello.inventory.devices)
    publish(NodeMoved(node_id=node.id))
    return Welcome(
        server_time=at.timestamp(),
        protocol_version=min(hello.protocol_version, PROTOCOL_VERSION),
        reports_through=node.reports_through,
        blocks_through=node.blocks_through,
    )


def _note_changes(node: Node, hello: Hello, *, at: datetime) -> None:
    """What is different since the node said hello the last time."""
    if node.boot_id and node.boot_id != hello.boot_id:
        _note(Kind.REBOOTED, node.id, at=at)
    if node.agent_version and node.agent_version != hello.agent_version:
        change = _change(node.agent_version, hello.agent_version)
        _note(Kind.UPGRADED, node.id, change, at=at)
    before, after = selectors.profile_of(node.isolation), _profile(hello.inventory)
    if before and after and before != after:
        _note(Kind.ISOLATION, node.id, _change(before, after), at=at)
    if node.contact != Contact.FRESH.value:
        _note(Kind.CONTACT, node.id, _change(node.contact, Contact.FRESH.value), at=at)


def _profile(offered: Inventory) -> str:
    return offered.isolation.profile if offered.isolation else ""


def _take_offer(node: Node, offered: Inventory) -> None:
    """What the node has; never less than what is reserved on it."""
    node.hostname = offered.hostname
    node.facts = offered.facts
    node.simulated = offered.simulated
    node.isolation = offered.isolation and msgspec.to_builtins(offered.isolation)
    node.disk_bytes = offered.disk_bytes
    node.cpu_millis = max(offered.cpu_millis, node.reserved_cpu_millis)
    node.memory_bytes = max(offered.memory_bytes, node.reserved_memory_bytes)
    node.missing_cpu_millis = node.cpu_millis - offered.cpu_millis
    node.missing_memory_bytes = node.memory_bytes - offered.memory_bytes


def _take_devices(node: Node, offered: list[DeviceInfo]) -> None:
    """The devices of the last inventory are present, the node's others are not; none is deleted."""
    Device.objects.bulk_create(
        [
            Device(
                node=node,
                uuid=device.uuid,
                index=device.index,
                name=device.name,
                memory_bytes=device.memory_bytes,
                simulated=device.simulated,
                facts=device.facts,
                parent=device.parent,
                divided=device.divided,
                present=True,
            )
            for device in offered
        ],
        update_conflicts=True,
        unique_fields=["node", "uuid"],
        update_fields=[
            *("index", "name", "memory_bytes", "simulated", "facts", "parent", "divided"),
            "present",
        ],
    )
    here = [device.uuid for device in offered]
    Device.objects.filter(node=node, present=True).exclude(uuid__in=here).update(present=False)


def _milliseconds(seconds: float) -> int:
    if seconds != seconds:
        raise inventory.InventoryRefused(field="sent_at")
    return int(max(-_MOST_MILLISECONDS, min(seconds * 1000, _MOST_MILLISECONDS)))


def raise_seen(
    *, node_id: UUID, reports_through: int | None = None, blocks_through: int | None = None
) -> None:
    """Remember how far a node's reports and blocks are stored; it never goes back."""
    seen = {"reports_through": reports_through, "blocks_through": blocks_through}
    raised = {field: Greatest(F(field), Value(n)) for field, n in seen.items() if n is not None}
    if raised:
        Node.objects.filter(pk=node_id).update(**raised)


# contact

_RENEW = """
UPDATE fleet_node AS node SET contact = %(fresh)s, last_contact_at = %(at)s
FROM (
    SELECT id, contact FROM fleet_node
    WHERE id = ANY(%(ids)s) AND removed_at IS NULL
    -- a node whose row somebody changes at this moment is renewed the next time: many rows at once
    -- are never waited for, so nobody who holds some of them waits for us
    FOR NO KEY UPDATE SKIP LOCKED
) AS before
WHERE node.id = before.id
RETURNING node.id, before.contact
"""


@transaction.atomic
def renew_contact(*, node_ids: Collection[UUID], at: datetime) -> None:
    """These nodes have been heard of; one statement, however many they are."""
    if not node_ids:
        return
    given: dict[str, Any] = {"fresh": Contact.FRESH.value, "at": at, "ids": list(node_ids)}
    with connection.cursor() as cursor:
        cursor.execute(_RENEW, given)
        renewed = {
            node_id: before
            for node_id, before in cursor.fetchall()
            if before != Contact.FRESH.value
        }
    NodeEvent.objects.bulk_create(
        _event(Kind.CONTACT, node_id, _change(before, Contact.FRESH.value), at=at)
        for node_id, before in renewed.items()
    )
    for node_id in renewed:
        publish(NodeMoved(node_id=node_id))


def mark_silent_nodes(*, at: datetime) -> None:
    """Nodes that were not heard of for a while get no new work. What they run is left alone."""
    silent = Node.objects.filter(
        contact=Contact.FRESH.value, last_contact_at__lt=at - SILENCE, removed_at=None
    )
    for node_id in silent.values_list("id", flat=True):
        # row by row, each on its own: one that was heard of in this moment is not silent
        with transaction.atomic():
            if silent.filter(pk=node_id).update(contact=Contact.SUSPECT.value):
                change = _change(Contact.FRESH.value, Contact.SUSPECT.value)
                _note(Kind.CONTACT, node_id, change, at=at)
                publish(NodeMoved(node_id=node_id))


# what is wrong with devices

_SEVERITY = [action.value for action in Action]
_REPEAT = timedelta(seconds=60)  # the same again within this is no news


@transaction.atomic
def apply_device_report(*, node_id: UUID, report: DeviceReport, at: datetime) -> None:
    """Take a node's word for what is wrong with its devices.

    What keeps work away marks the device until an operator clears it: the first reason stays unless
    a worse one comes. A driver that hangs says nothing of its devices, and clears them by itself.
    """
    inventory.check_text("device", report.device, 96)
    inventory.check_text("kind", report.kind, 32)
    node = _lock(node_id)
    happened = _told_at(node, report.at, at)
    devices = list(_spoken_of(node, report))
    judged = verdict(report.kind, report.xid)
    for device in devices:
        if report.kind == FaultKind.DRIVER_ANSWERS:
            reason = device.health_reason or {}
            if reason.get("code") == code_of(FaultKind.DRIVER_HANGS, None):
                _mark_healthy(device)
        elif judged.action.keeps_work_away:
            _mark(device, report, judged.action, at=happened)
    _note_fault(node, report, devices, judged.action, at=happened)
    publish(NodeMoved(node_id=node.id))


def _spoken_of(node: Node, report: DeviceReport) -> Iterable[Device]:
    devices = Device.objects.filter(node=node, present=True).order_by("index", "uuid")
    if report.device:
        return devices.filter(uuid=report.device)
    return devices.filter(simulated=False)


def _mark(device: Device, report: DeviceReport, action: Action, *, at: datetime) -> None:
    if not device.healthy and _SEVERITY.index(device.health_action or "note") >= _SEVERITY.index(
        action
    ):
        return
    params: dict[str, Any] = {"device": device.uuid, "index": device.index}
    if report.xid is not None:
        params["xid"] = report.xid
    device.healthy = False
    device.unhealthy_at = device.unhealthy_at or at
    device.health_reason = reasons.to_row(
        Reason(code=code_of(report.kind, report.xid), params=params)
    )
    device.health_action = action.value
    device.save(update_fields=_HEALTH)


_HEALTH = ["healthy", "unhealthy_at", "health_reason", "health_action"]


def _mark_healthy(device: Device) -> None:
    device.healthy = True
    device.unhealthy_at = device.health_reason = None
    device.health_action = ""
    device.save(update_fields=_HEALTH)


def _note_fault(
    node: Node, report: DeviceReport, devices: list[Device], action: Action, *, at: datetime
) -> None:
    detail: dict[str, Any] = {"fault": report.kind, "action": action.value}
    if report.device:
        detail |= {"device": report.device, "index": devices[0].index if devices else None}
    if report.xid is not None:
        detail["xid"] = min(max(report.xid, -(2**31)), 2**31)
    lately = NodeEvent.objects.filter(node=node, kind=Kind.DEVICE_FAULT, at__gt=at - _REPEAT)
    if not lately.filter(detail=detail).exists():
        _note(Kind.DEVICE_FAULT, node.id, detail, at=at)


def _told_at(node: Node, told: float, at: datetime) -> datetime:
    """A node's time in the server's; what cannot be is now."""
    seconds = told - node.clock_offset_ms / 1000
    oldest = (at - timedelta(days=7)).timestamp()
    return utc(seconds) if oldest <= seconds <= at.timestamp() else at


@transaction.atomic
def clear_device(*, node_id: UUID, device_id: UUID, actor: Actor, at: datetime) -> Device:
    """Somebody has seen to a device: it gets work again. Of a healthy one nothing changes."""
    node = _lock(node_id)
    device = Device.objects.filter(node=node, pk=device_id).first()
    if device is None:
        raise NotFound
    if not device.healthy:
        reason = (device.health_reason or {}).get("code", "")
        _mark_healthy(device)
        audit.record(
            actor,
            "node.clear_device",
            device,
            name=f"{node.name}/{device.index}",
            device=device.uuid,
            reason=reason,
        )
        detail = {"device": device.uuid, "index": device.index}
        _note(Kind.DEVICE_CLEARED, node.id, detail, actor=actor, at=at)
        publish(NodeMoved(node_id=node.id))
    return device


# what is wanted of a node


@transaction.atomic
def cordon(*, node_id: UUID, actor: Actor, at: datetime, reason: str = "") -> Node:
    """No new work for the node; what it runs goes on. Said again, only the reason may change."""
    node = _lock(node_id)
    if node.cordoned_at is None or (reason and reason != node.cordon_reason):
        node.cordoned_at = node.cordoned_at or at
        node.cordon_reason = reason
        node.save(update_fields=["cordoned_at", "cordon_reason"])
        audit.record(actor, "node.cordon", node, name=node.name, reason=reason)
        _note(Kind.CORDONED, node.id, {"reason": reason}, actor=actor, at=at)
        publish(NodeMoved(node_id=node.id))
    return node


@transaction.atomic
def uncordon(*, node_id: UUID, actor: Actor, at: datetime) -> Node:
    """The node takes work again."""
    node = _lock(node_id)
    if node.cordoned_at is not None:
        node.cordoned_at = None
        node.cordon_reason = ""
        node.save(update_fields=["cordoned_at", "cordon_reason"])
        audit.record(actor, "node.uncordon", node, name=node.name)
        _note(Kind.UNCORDONED, node.id, actor=actor, at=at)
        publish(NodeMoved(node_id=node.id))
    return node


@transaction.atomic
def remove(*, node_id: UUID, actor: Actor, at: datetime) -> None:
    """Turn the node away at every door, for good; refused while work is kept on it."""
    node = _lock(node_id)
    if node.reserved_cpu_millis or node.reserved_memory_bytes:
        raise NodeBusy(name=node.name)
    check_deletion(node)
    node.removed_at = at
    node.save(update_fields=["removed_at"])
    audit.record(actor, "node.remove", node, name=node.name)
    _note(Kind.REMOVED, node.id, actor=actor, at=at)
    publish(NodeMoved(node_id=node.id))
    wake("broker_users")
    transaction.on_commit(lambda: hub.tell(f"link.{node_id}", {"close": True}))


def _note(
    kind: Kind,
    node_id: UUID,
    detail: dict[str, Any] | None = None,
    *,
    at: datetime,
    actor: Actor = SYSTEM,
) -> None:
    _event(kind, node_id, detail, at=at, actor=actor).save(force_insert=True)


def _event(
    kind: Kind,
    node_id: UUID,
    detail: dict[str, Any] | None = None,
    *,
    at: datetime,
    actor: Actor = SYSTEM,
) -> NodeEvent:
    return NodeEvent(
        node_id=node_id,
        at=at,
        kind=kind.value,
        actor_kind=actor.kind.value,
        actor_name=actor.name,
        detail=detail or {},
    )


def _change(before: str, now: str) -> dict[str, str]:
    return {"from": before, "to": now}


_FORGET_EVENTS = """
DELETE FROM fleet_nodeevent WHERE id IN (
    SELECT id FROM (
        SELECT id, at, row_number() OVER (PARTITION BY node_id ORDER BY at DESC, id DESC) AS age
        FROM fleet_nodeevent
    ) AS numbered
    WHERE age > %s OR at < %s
)
"""


def forget_events(*, before: datetime) -> int:
    """Drop what happened to nodes long ago, and of one that comes and goes all but the newest."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGET_EVENTS, [MOST_EVENTS, before])
        return int(cursor.rowcount)


def _lock(node_id: UUID) -> Node:
    node = Node.objects.select_for_update(no_key=True).filter(pk=node_id, removed_at=None).first()
    if node is None:
        raise NotFound
    return node


# room


def reserve(*, node_id: UUID, resources: Resources) -> None:
    """Keep CPU and memory of a node that may take work; raises ``NoRoom`` if it is gone."""
    cpu, memory = resources.cpu_millis, resources.memory_bytes
    kept = Node.objects.filter(
        pk=node_id,
        removed_at=None,
        cordoned_at=None,
        contact=Contact.FRESH.value,
        cpu_millis__gte=F("reserved_cpu_millis") + cpu,
        memory_bytes__gte=F("reserved_memory_bytes") + memory,
    ).update(
        reserved_cpu_millis=F("reserved_cpu_millis") + cpu,
        reserved_memory_bytes=F("reserved_memory_bytes") + memory,
    )
    if not kept:
        raise NoRoom
    publish(RoomChanged(node_id=node_id))


def reserve_again(*, node_id: UUID, resources: Resources) -> None:
    """Count what already runs on a node; raises ``NoRoom`` where it cannot all be true."""
    cpu, memory = resources.cpu_millis, resources.memory_bytes
    kept = Node.objects.filter(
        pk=node_id,
        cpu_millis__gte=F("reserved_cpu_millis") + cpu,
        memory_bytes__gte=F("reserved_memory_bytes") + memory,
    ).update(
        reserved_cpu_millis=F("reserved_cpu_millis") + cpu,
        reserved_memory_bytes=F("reserved_memory_bytes") + memory,
    )
    if not kept:
        raise NoRoom
    publish(RoomChanged(node_id=node_id))


def release(*, node_id: UUID, resources: Resources) -> None:
    """Give back what was reserved; what the node no longer has of it goes for good."""
    cpu, memory = Value(resources.cpu_millis), Value(resources.memory_bytes)
    missing_cpu = Least(F("missing_cpu_millis"), cpu)
    missing_memory = Least(F("missing_memory_bytes"), memory)
    Node.objects.filter(pk=node_id).update(
        reserved_cpu_millis=F("reserved_cpu_millis") - cpu,
        reserved_memory_bytes=F("reserved_memory_bytes") - memory,
        cpu_millis=F("cpu_millis") - missing_cpu,
        memory_bytes=F("memory_bytes") - missing_memory,
        missing_cpu_millis=F("missing_cpu_millis") - missing_cpu,
        missing_memory_bytes=F("missing_memory_bytes") - missing_memory,
    )
    publish(RoomChanged(node_id=node_id))
