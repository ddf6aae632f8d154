import logging

from django.conf import settings
from django.utils import timezone

from apps.artifacts import services
from apps.common.sweeps import every

log = logging.getLogger(__name__)

SCRUBS_A_DAY = 96


@every(seconds=600)
def forget_old_uploads() -> None:
    """Give back the room of uploads that nobody finished."""
    services.sweep_uploads(at=timezone.now())


@every(seconds=3600)
def collect_garbage() -> None:
    """Give back the room of bytes that nobody holds."""
    if given_back := services.collect_garbage(at=timezone.now()):
        log.info("removed %d bytes that no project held", given_back)


@every(seconds=86400 / SCRUBS_A_DAY)
def scrub() -> None:
    """Find bytes that rotted before somebody needs them."""
    most = settings.SCRUB_BYTES_A_DAY // SCRUBS_A_DAY
    if most:
        services.scrub(at=timezone.now(), most_bytes=most)
    services.forget_mended()
