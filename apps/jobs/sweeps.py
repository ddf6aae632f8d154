from django.utils import timezone

from apps.common.sweeps import every
from apps.jobs import services


@every(seconds=5, wake="runs")
def settle_runs() -> None:
    """Runs and jobs follow their gangs: when one moved, and every few seconds regardless."""
    services.settle_runs(at=timezone.now())


@every(seconds=10, wake="imports")
def import_published() -> None:
    """Every published dataset version gets its import job."""
    services.import_published(at=timezone.now())
