import logging

from django.db import OperationalError
from django.utils import timezone

from apps.common.sweeps import every
from apps.telemetry import rollups, services

log = logging.getLogger(__name__)


@every(seconds=3600)
def prepare_partitions() -> None:
    """Have tomorrow's partition before tomorrow's blocks."""
    services.prepare_partitions(at=timezone.now())


@every(seconds=3600)
def forget_traffic() -> None:
    """Keep a month of what gateways were asked."""
    services.forget_traffic(at=timezone.now())


@every(seconds=60)
def roll_up() -> None:
    """Have the minutes of every window that is over."""
    rollups.roll_up(at=timezone.now())


@every(seconds=3600)
def drop_old_partitions() -> None:
    """Keep readings for as long as they are to be kept."""
    try:
        dropped = services.drop_old_partitions(at=timezone.now())
    except OperationalError as error:
        log.info("old readings cannot be dropped now: %s", error)  # somebody reads; next hour
        return
    if dropped:
        log.info("dropped: %s", ", ".join(dropped))
