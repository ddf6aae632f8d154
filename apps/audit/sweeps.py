import logging

from django.utils import timezone

from apps.audit import services
from apps.common.sweeps import every

log = logging.getLogger(__name__)


@every(seconds=5)
def chain_entries() -> None:
    """Every entry gets its place in the chain soon after it was written."""
    while services.chain_entries(at=timezone.now()):
        pass


@every(seconds=3600)
def chain_late_entries() -> None:
    """Also one whose transaction took longer than ten thousand others."""
    while services.chain_entries(at=timezone.now(), all_of_them=True):
        pass


@every(seconds=60)
def sign_checkpoint() -> None:
    services.sign_checkpoint(at=timezone.now())


@every(seconds=6 * 3600)
def verify_chain() -> None:
    """Whoever changed an old entry is found out within hours."""
    found = services.verify_chain(at=timezone.now())
    if found.fault:
        log.error("the audit does not hold at entry %d: %s", found.number, found.fault)
