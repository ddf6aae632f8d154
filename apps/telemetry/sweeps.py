from django.utils import timezone

from apps.common.sweeps import every
from apps.telemetry import services


@every(seconds=3600)
def prepare_partitions() -> None:
    """Have tomorrow's partition before tomorrow's blocks."""
    services.prepare_partitions(at=timezone.now())


@every(seconds=3600)
def forget_traffic() -> None:
    """Keep a month of what gateways were asked."""
    services.forget_traffic(at=timezone.now())
