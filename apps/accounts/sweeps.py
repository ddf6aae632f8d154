from datetime import timedelta

from django.utils import timezone

from apps.accounts import services
from apps.common.sweeps import every


@every(seconds=600)
def forget_ways_in() -> None:
    """Drop attempts to sign in and links that are over for an hour."""
    services.forget_ways_in(before=timezone.now() - timedelta(hours=1))
