"""The scheduler's turn: look, plan, write down."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import IntegrityError, connection

from apps.fleet import services as fleet
from apps.fleet.models import Contact
from apps.workloads import placement, selectors, services
from apps.workloads.models import Gang

log = logging.getLogger(__name__)

LOCK = 0x6461746168616C6C  # one scheduler at a time; the number is arbitrary and never changes
ANSWER_WITHIN = timedelta(seconds=60)  # a placed gang on a silent node is queued again
GANG_WITHIN = timedelta(seconds=180)  # a gang whose workloads do not all ask to start ends


def schedule_waiting(*, at: datetime) -> None:
    """Place what can be placed, and say of the rest why it waits.

    The plan is made from a snapshot without locks. Each placement is a transaction of its own that
    refuses if the room is gone, so a wrong guess costs one more turn and never a double booking;
    and no lock on a node is held while the next is waited for.
    """
    with _alone() as mine:
        if not mine:
            return
        if services.is_held(at=at):
            why = services.why_held()
            waiting = Gang.objects.waiting().values_list("id", flat=True)
            services.explain_waiting(why=dict.fromkeys(waiting, why), at=at)
            return
        decisions = [
            decision
            for simulated in (False, True)
            if (queue := selectors.queue(simulated=simulated))
            for decision in placement.plan(selectors.snapshot(simulated=simulated), queue)
        ]
        for decision in decisions:
            if isinstance(decision, placement.Placed):
                _place(decision, at=at)
        services.explain_waiting(
            why={d.gang_id: d.reason for d in decisions if isinstance(d, placement.Waits)},
            at=at,
        )


def _place(decision: placement.Placed, *, at: datetime) -> None:
    try:
        services.assign(gang_id=decision.gang_id, places=decision.places, at=at)
    except (fleet.NoRoom, services.PlacedElsewhere, IntegrityError):
        log.info("gang %s: the room was taken meanwhile", decision.gang_id)


def settle_stalled(*, at: datetime) -> None:
    """Placed gangs that do not start: queue them again if their node fell silent, else end them."""
    if selectors.open_restore():
        return  # a node may have started it, and not have had the time to say so
    for gang in selectors.stalled(placed_before=at - ANSWER_WITHIN):
        nodes = [workload.node for workload in gang.workloads.select_related("node")]
        silent = any(node is not None and node.contact != Contact.FRESH for node in nodes)
        if silent and services.take_back(gang_id=gang.id, at=at):
            continue
        if gang.size > 1 and gang.placed_at and gang.placed_at < at - GANG_WITHIN:
            services.give_up_start(gang_id=gang.id, at=at)


@contextmanager
def _alone() -> Iterator[bool]:
    """Hold the scheduler's lock, or say that somebody else does.

    It belongs to the session and not to a transaction, because a turn is many transactions; a
    session that dies gives it back.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        (mine,) = cursor.fetchone()
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
