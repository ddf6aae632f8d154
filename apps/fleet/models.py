from django.db import models
from django.db.models import F, Q

from apps.common.models import BaseModel


class Contact(models.TextChoices):
    FRESH = "fresh"
    SUSPECT = "suspect"  # silent for 40 s: gets no new work, shown as unreachable
    LOST = "lost"


class Node(BaseModel):
    """A host with an agent. What it offers is reserved by sum and never beyond its capacity."""

    name = models.CharField(max_length=100)
    public_key = models.BinaryField()  # Ed25519, raw
    cordoned_at = models.DateTimeField(null=True)  # desired: no new work
    cordon_reason = models.CharField(max_length=200, blank=True)  # in the operator's words
    removed_at = models.DateTimeField(null=True)  # desired: refused at every door

    # observed
    contact = models.CharField(max_length=16, choices=Contact, default=Contact.SUSPECT.value)
    last_contact_at = models.DateTimeField(null=True)
    boot_id = models.CharField(max_length=64, blank=True)
    agent_version = models.CharField(max_length=32, blank=True)
    protocol_version = models.PositiveSmallIntegerField(default=0)
    clock_offset_ms = models.IntegerField(default=0)  # node minus server
    hostname = models.CharField(max_length=255, blank=True)
    simulated = models.BooleanField(default=False)  # there is no such host: shown wherever it is
    facts = models.JSONField(default=dict)
    isolation = models.JSONField(null=True)  # agents.protocol.link.Isolation; None: untold
    disk_bytes = models.BigIntegerField(default=0)
    cpu_millis = models.PositiveIntegerField()
    memory_bytes = models.BigIntegerField()

    # the part of the above that the node no longer has: one that shrinks under its work stays as
    # large as what is reserved, takes nothing more, and shrinks as the work ends
    missing_cpu_millis = models.PositiveIntegerField(default=0)
    missing_memory_bytes = models.BigIntegerField(default=0)

    reserved_cpu_millis = models.PositiveIntegerField(default=0)
    reserved_memory_bytes = models.BigIntegerField(default=0)

    # the node's broker user: the controller keeps it true in the broker
    broker_secret_sha256 = models.CharField(max_length=64, blank=True)

    reports_through = models.BigIntegerField(default=0)  # highest report stored
    blocks_through = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="node_reserved_within_capacity",
                condition=Q(reserved_cpu_millis__lte=F("cpu_millis"))
                & Q(reserved_memory_bytes__lte=F("memory_bytes"))
                & Q(reserved_memory_bytes__gte=0),
            ),
            models.UniqueConstraint(
                fields=["name"],
                condition=Q(removed_at__isnull=True),
                name="node_name_unique_while_there",
            ),
        ]


class NodeEvent(BaseModel):
    """Something that happened to a node. What people did is in the audit as well, for good."""

    class Kind(models.TextChoices):
        JOINED = "joined"
        REMOVED = "removed"
        CORDONED = "cordoned"
        UNCORDONED = "uncordoned"
        CONTACT = "contact"  # detail: from, to
        REBOOTED = "rebooted"
        UPGRADED = "upgraded"  # the agent; detail: from, to
        DEVICE_FAULT = "device_fault"  # detail: fault, device, index, xid, action
        DEVICE_CLEARED = "device_cleared"  # taken for healthy again; detail: device, index
        ISOLATION = "isolation"  # of its jobs; detail: from, to

    node = models.ForeignKey(Node, models.CASCADE, related_name="events")
    at = models.DateTimeField()
    kind = models.CharField(max_length=16, choices=Kind)
    actor_kind = models.CharField(max_length=16)
    actor_name = models.CharField(max_length=200)
    detail = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["node", "-at", "-id"], name="node_event_newest")]


class Device(BaseModel):
    """A GPU or a MIG slice, never a CPU."""

    node = models.ForeignKey(Node, models.CASCADE, related_name="devices")
    uuid = models.CharField(max_length=96)  # the hardware's own name, in its node's word
    index = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=128)
    memory_bytes = models.BigIntegerField()
    simulated = models.BooleanField(default=False)
    facts = models.JSONField(default=dict)
    present = models.BooleanField(default=True)  # observed: in the last inventory
    parent = models.CharField(max_length=96, blank=True)  # of a MIG slice: its card's UUID
    divided = models.BooleanField(default=False)  # a card of which only slices are leased

    # what is unhealthy gets no new work until somebody has seen to it, and said so
    healthy = models.BooleanField(default=True)
    unhealthy_at = models.DateTimeField(null=True)
    health_reason = models.JSONField(null=True)  # Reason
    health_action = models.CharField(max_length=16, blank=True)  # of `faults.Action`

    class Meta:
        constraints = [
            # not unique beyond the node: else one host could claim another's devices by naming them
            models.UniqueConstraint(fields=["node", "uuid"], name="device_once_per_node")
        ]


class JoinToken(BaseModel):
    """A single-use, short-lived invitation for one node."""

    secret_sha256 = models.CharField(max_length=64, unique=True)
    created_by = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    node = models.ForeignKey(Node, models.SET_NULL, null=True, related_name="+")


class SpentNonce(BaseModel):
    """A nonce that a node has signed. Nonces are good for a minute, and once."""

    nonce_sha256 = models.CharField(max_length=64, unique=True)


class SigningKey(BaseModel):
    """The public half of a key that signs orders. The private half is a file of the controller."""

    kid = models.CharField(max_length=32, unique=True)
    public_key = models.BinaryField()
    retired_at = models.DateTimeField(null=True)


class Outbox(BaseModel):
    """An order for a node: written with the decision, signed and sent by the controller.

    It stays until settled, signed anew when its envelope runs out, and is what a node gets when it
    pulls: the broker only makes it faster.
    """

    node = models.ForeignKey(Node, models.CASCADE, related_name="outbox")
    op = models.CharField(max_length=16)  # "start" | "stop"
    gang_id = models.UUIDField()
    workload_id = models.UUIDField()
    fence = models.BigIntegerField()
    spec_sha256 = models.CharField(max_length=64, blank=True)
    grace_seconds = models.FloatField(default=10.0)

    envelope = models.TextField(blank=True)
    expires_at = models.DateTimeField(null=True)  # of the envelope
    claimed_until = models.DateTimeField(null=True)  # somebody hands it to the broker, or rests
    published_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                # of each node: else one could take another's order by naming its workload
                fields=["workload_id", "fence", "op", "node"],
                name="outbox_one_per_order",
            )
        ]
        indexes = [
            models.Index(
                fields=["node", "created_at"],
                name="outbox_unsettled",
                condition=Q(settled_at__isnull=True),
            )
        ]
