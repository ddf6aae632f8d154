"""Who did what: written by whoever does it, in the same transaction."""

import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import Exists, Func, OuterRef, Value

from agents.protocol import chain as wire
from apps.audit import chain
from apps.audit.models import Checkpoint, Entry, Link, Verification
from apps.common import keys
from apps.common.actors import Actor
from apps.common.models import installation_id

CHAIN_LOCK = 0x6175646974  # whoever chains; the number is arbitrary and never changes
BATCH = 500
LATE = 10_000  # an entry may be committed while so many later ones are
CHECKPOINT_ENTRIES = 1000
CHECKPOINT_AFTER = timedelta(hours=1)


class HasId(Protocol):
    id: UUID


def record(
    actor: Actor, action: str, obj: models.Model, *, project: HasId | None = None, **detail: Any
) -> None:
    """Note that the actor did this to the object; it holds if and only if the deed does.

    The project is the object's own unless named. Never put a secret into the detail.
    """
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError(f"{action} must be recorded where it is done")
    Entry.objects.create(
        seq=Func(Value("audit_seq"), function="nextval"),
        actor_kind=actor.kind.value,
        actor_id=actor.id,
        actor_name=actor.name,
        action=action,
        object_type=obj._meta.model_name or "",
        object_id=obj.pk,
        project_id=project.id if project else getattr(obj, "project_id", None),
        detail=detail,
    )


# --- the chain -----------------------------------------------------------------------------------


@transaction.atomic
def chain_entries(*, at: datetime, all_of_them: bool = False) -> int:
    """Give some of the entries that have none their place in the chain; how many.

    One chains at a time. What was committed late comes after what was seen before it: the order of
    the chain is the order in which it was written down, and it never changes.
    """
    if not _turn():
        return 0
    last = Link.objects.order_by("-number").first()
    waiting = Entry.objects.filter(~Exists(Link.objects.filter(entry=OuterRef("pk"))))
    if last is not None and not all_of_them:
        highest = Entry.objects.filter(link__number__gt=last.number - BATCH).aggregate(
            seq=models.Max("seq")
        )["seq"]
        waiting = waiting.filter(seq__gt=highest - LATE)
    number, previous = (last.number, last.hash) if last else (0, wire.GENESIS)
    links = []
    for entry in waiting.order_by("seq")[:BATCH]:
        number += 1
        found = wire.hash_of(number, previous, chain.told(entry))
        links.append(Link(number=number, entry=entry, previous=previous, hash=found, chained_at=at))
        previous = found
    Link.objects.bulk_create(links)
    return len(links)


def sign_checkpoint(*, at: datetime) -> Checkpoint | None:
    """Sign the chain when much or long has been added to it, and have every signature in the file.

    Who could change all of the database could not change the file as well, if it is kept elsewhere.
    """
    made = _sign(at=at)
    _export_checkpoints()
    return made


@transaction.atomic
def _sign(*, at: datetime) -> Checkpoint | None:
    if not _turn():
        return None
    newest = Link.objects.order_by("-number").first()
    before = Checkpoint.objects.order_by("-index").first()
    signed = before.number if before else 0
    if newest is None or newest.number == signed:
        return None
    oldest = Link.objects.get(number=signed + 1)
    many = newest.number - signed >= CHECKPOINT_ENTRIES
    if before is not None and not many and oldest.chained_at > at - CHECKPOINT_AFTER:
        return None
    key = keys.load_or_create(settings.SIGNING_KEY_FILE)
    checkpoint = Checkpoint(
        index=before.index + 1 if before else 1,
        number=newest.number,
        hash=newest.hash,
        signed_at=at,
        public_key=keys.raw_public(key).hex(),
    )
    checkpoint.signature = wire.sign(chain.signed_part(checkpoint, installation_id()), key)
    checkpoint.save(force_insert=True)
    return checkpoint


def _export_checkpoints() -> None:
    """Append to the file what it does not have yet; never change what is there."""
    path = Path(settings.AUDIT_CHECKPOINTS_FILE)
    there = 0
    if path.exists():
        with path.open("rb") as file:
            there = sum(1 for line in file if line.endswith(b"\n"))
    missing = Checkpoint.objects.order_by("index")[there:]
    lines = [
        wire.canonical(chain.checkpoint_record(each, installation_id())) + b"\n" for each in missing
    ]
    if not lines:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "ab") as file:
        file.write(b"".join(lines))
        file.flush()
        os.fsync(descriptor)


def records(*, after: int = 0, most: int | None = None) -> Iterator[dict[str, Any]]:
    """Entries of the chain and the checkpoints between them, in the order of an export."""
    installation = installation_id()
    end = after + most if most is not None else None
    number = after
    while links := _links(number, min(BATCH, end - number) if end is not None else BATCH):
        signed = {
            each.number: each
            for each in Checkpoint.objects.filter(number__gt=number, number__lte=links[-1].number)
        }
        for link in links:
            yield chain.link_record(link)
            if found := signed.get(link.number):
                yield chain.checkpoint_record(found, installation)
        number = links[-1].number


def export_head() -> dict[str, Any]:
    """The first line of an export."""
    return {"kind": "head", "format": wire.FORMAT, "installation": str(installation_id())}


def verify_chain(*, at: datetime) -> Verification:
    """Read all of the chain as a stranger would, and keep what was found."""
    newest = Link.objects.order_by("-number").first()
    through = newest.number if newest else 0
    verifier = wire.Verifier()  # keys may have been replaced over the years
    verifier.take(export_head())
    number, where = 0, 0
    for record in records(most=through):
        number = record.get("number", number)
        verifier.take(record)
        if verifier.verdict.faults and not where:
            where = number
    found = verifier.verdict
    if found.entries != through:
        verifier.fault(0, "number_missing")
    if _file_disagrees():
        verifier.fault(0, "file_disagrees")
    fault = found.faults[0].code if found.faults else ""
    row, _ = Verification.objects.update_or_create(
        id=1, defaults={"at": at, "entries": found.entries, "fault": fault, "number": where}
    )
    return row


def _file_disagrees() -> bool:
    """Whether the file of checkpoints holds one that the database does not have like this."""
    try:
        lines = Path(settings.AUDIT_CHECKPOINTS_FILE).read_bytes().splitlines()
    except FileNotFoundError:
        return False
    installation = installation_id()
    rows = [
        wire.canonical(chain.checkpoint_record(each, installation))
        for each in Checkpoint.objects.order_by("index")
    ]
    return lines != rows[: len(lines)]


def _links(after: int, most: int) -> Sequence[Link]:
    return list(
        Link.objects.filter(number__gt=after).select_related("entry").order_by("number")[:most]
    )


def _turn() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [CHAIN_LOCK])
        return bool(cursor.fetchone()[0])
