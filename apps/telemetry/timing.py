"""When something happened, by the server's clock. Pure: the clock is the caller's."""

import math
from datetime import UTC, datetime, timedelta

OLDEST = timedelta(days=7)
NEWEST = timedelta(minutes=5)


def server_time(seconds: float, *, skew: float, now: datetime) -> datetime | None:
    """A node's Unix time set right by how far its clock is ahead; None if it cannot be believed."""
    corrected = seconds - skew
    reach = now.timestamp()
    if not math.isfinite(corrected):
        return None
    if not reach - OLDEST.total_seconds() <= corrected <= reach + NEWEST.total_seconds():
        return None
    return datetime.fromtimestamp(corrected, UTC)
