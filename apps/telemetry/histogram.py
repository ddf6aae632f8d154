"""Durations counted in buckets, from which percentiles are read. Pure.

Bucket ``i`` holds what took from ``1.1**i`` to ``1.1**(i + 1)`` microseconds, up to a minute; what
took less or longer is counted in the first or the last. A bucket answers with its geometric
middle, so a percentile is off by at most 4.9 %, and histograms are added bucket by bucket.
"""

from bisect import bisect_right
from collections.abc import Mapping
from math import ceil, log, sqrt

RATIO = 1.1
LONGEST_US = 60_000_000
ERROR = sqrt(RATIO) - 1
_EDGES = tuple(RATIO**i for i in range(ceil(log(LONGEST_US, RATIO)) + 1))
_LAST = len(_EDGES) - 2


def bucket_of(microseconds: float) -> int:
    return min(max(bisect_right(_EDGES, microseconds) - 1, 0), _LAST)


def middle_of(bucket: int) -> float:
    """What a bucket stands for, in microseconds."""
    return float(RATIO**bucket * sqrt(RATIO))


def percentile(counts: Mapping[int, int], share: float) -> float | None:
    """The duration that this share (0.99) did not exceed, in microseconds; None of nothing."""
    total = sum(counts.values())
    left = max(ceil(share * total), 1)
    for bucket in sorted(counts):
        left -= counts[bucket]
        if left <= 0:
            return middle_of(bucket)
    return None
