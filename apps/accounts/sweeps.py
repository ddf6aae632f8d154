from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from apps.accounts import services
from apps.common.sweeps import every


@every(seconds=3600)
def forget_spent() -> None:
    """Keep what lets somebody in no longer than it is looked at after it is over."""
    at = timezone.now()
    services.forget_spent(at=at, before=at - timedelta(days=settings.SPENT_DAYS))


@every(seconds=600)
def forget_ways_in() -> None:
    """Drop attempts to sign in and links that are over for an hour."""
    services.forget_ways_in(before=timezone.now() - timedelta(hours=1))
