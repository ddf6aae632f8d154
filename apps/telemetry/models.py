"""Positions are ordinary rows. The bulk beside them (sample blocks, metric points, log chunks) is
written by COPY and read by SQL in `storage.py`; its tables are made in the migrations."""

from django.db import models

from apps.common.models import BaseModel


class Stream(BaseModel):
    """How far a workload's log or metrics file is stored, and what was dropped of it."""

    LOG = "log"
    METRICS = "metrics"

    workload_id = models.UUIDField()
    kind = models.CharField(max_length=16)
    offset = models.BigIntegerField(default=0)  # bytes of the node's file durably taken in
    dropped_bytes = models.BigIntegerField(default=0)  # the counted gap
    unreadable_lines = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workload_id", "kind"], name="stream_unique")
        ]


class LogChunk(BaseModel):
    workload_id = models.UUIDField()
    offset = models.BigIntegerField()
    size = models.PositiveIntegerField()
    at = models.DateTimeField()
    received_at = models.DateTimeField()
    data = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workload_id", "offset"], name="log_chunk_unique")
        ]


class MetricPoint(BaseModel):
    """One number of a run. NaN and infinities are kept as they are."""

    workload_id = models.UUIDField()
    name = models.CharField(max_length=250)
    step = models.BigIntegerField()
    value = models.FloatField()
    at = models.DateTimeField()
    received_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["workload_id", "name", "step"], name="metric_point_series")]
