from django.utils import timezone

from apps.artifacts import services
from apps.common.sweeps import every


@every(seconds=600)
def forget_old_uploads() -> None:
    """Give back the room of uploads that nobody finished."""
    services.sweep_uploads(at=timezone.now())
