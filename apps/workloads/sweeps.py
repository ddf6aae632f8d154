from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from apps.common.sweeps import every
from apps.workloads import scheduling, services


@every(seconds=5, wake="schedule")
def schedule_waiting() -> None:
    """Place what can be placed: when something changed, and every few seconds regardless."""
    scheduling.schedule_waiting(at=timezone.now())


@every(seconds=15)
def settle_stalled() -> None:
    """What was placed and does not start is queued again or ended."""
    scheduling.settle_stalled(at=timezone.now())


@every(seconds=3600)
def forget_events() -> None:
    """Keep of what happened to workloads as much as is looked at."""
    services.forget_events(before=timezone.now() - timedelta(days=settings.EVENT_DAYS))
