"""How long a run still takes, by how far it has come. Pure."""

from datetime import datetime


def seconds_left(
    *, progress: float | None, told_at: datetime | None, started_at: datetime | None, at: datetime
) -> int | None:
    """Seconds until the end at the pace so far; None while nothing can be said."""
    if not progress or told_at is None or started_at is None:
        return None
    took = (told_at - started_at).total_seconds()
    if took <= 0:
        return None
    since = (at - told_at).total_seconds()
    return max(0, round(took * (1 - progress) / progress - since))
