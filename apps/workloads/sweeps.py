from django.utils import timezone

from apps.common.sweeps import every
from apps.workloads import scheduling


@every(seconds=5, wake="schedule")
def schedule_waiting() -> None:
    """Place what can be placed: when something changed, and every few seconds regardless."""
    scheduling.schedule_waiting(at=timezone.now())


@every(seconds=15)
def settle_stalled() -> None:
    """What was placed and does not start is queued again or ended."""
    scheduling.settle_stalled(at=timezone.now())
