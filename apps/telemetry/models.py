"""Rows of bulk: written by COPY in `storage.py`, read by `selectors.py`.

Log chunks and metric points live as long as their run. Sample blocks lie in daily partitions and
rollups in monthly ones, which are dropped whole. Nothing here has a foreign key: a node or a
workload is only named.
"""

from django.db import models


class Stream(models.Model):
    """How far a workload's log or metrics file is stored, and what was dropped of it."""

    LOG = "log"
    METRICS = "metrics"

    pk = models.CompositePrimaryKey("workload_id", "kind")
    workload_id = models.UUIDField()
    kind = models.CharField(max_length=16)
    offset = models.BigIntegerField(default=0)  # bytes of the node's file durably taken in

    # counted gaps
    dropped_bytes = models.BigIntegerField(default=0)  # could not be stored at all
    unreadable_lines = models.BigIntegerField(default=0)  # were no metric lines, says the node
    refused_points = models.BigIntegerField(default=0)  # no storable name, step or time


class LogChunk(models.Model):
    """Bytes of a log. The chunks of a workload touch and never overlap."""

    pk = models.CompositePrimaryKey("workload_id", "offset")
    workload_id = models.UUIDField()
    offset = models.BigIntegerField()
    size = models.PositiveIntegerField()
    at = models.DateTimeField()
    received_at = models.DateTimeField()
    data = models.BinaryField()


class MetricPoint(models.Model):
    """One number of a run. NaN and infinities are kept as they are."""

    id = models.BigAutoField(primary_key=True)
    workload_id = models.UUIDField()
    name = models.CharField(max_length=250)
    step = models.BigIntegerField()
    value = models.FloatField()
    at = models.DateTimeField()
    received_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["workload_id", "name", "step", "id"], name="metric_point_series")
        ]


class Block(models.Model):
    """Ten seconds of readings of one node, as it packed them. Partitioned by day of `start_at`."""

    pk = models.CompositePrimaryKey("node_id", "start_at", "seq")
    node_id = models.UUIDField()
    start_at = models.DateTimeField()
    seq = models.BigIntegerField()  # the node's; rising, so a block is stored once
    end_at = models.DateTimeField()
    received_at = models.DateTimeField()
    data = models.BinaryField()


class Rollup(models.Model):
    """Ten minutes of a node as one-minute readings (`series.py`). Partitioned by month."""

    pk = models.CompositePrimaryKey("node_id", "start_at")
    node_id = models.UUIDField()
    start_at = models.DateTimeField()
    blocks = models.PositiveIntegerField()  # it is made of; when there are more, it is made anew
    rolled_at = models.DateTimeField()
    data = models.BinaryField()


class RollupMark(models.Model):
    """One row: blocks received until then have been looked at by the rollups."""

    through = models.DateTimeField()


class Gap(models.Model):
    """Blocks of a node that could not be kept, counted by why."""

    OUT_OF_RANGE = "out_of_range"  # its time is further away than clocks explain
    UNREADABLE = "unreadable"

    pk = models.CompositePrimaryKey("node_id", "reason")
    node_id = models.UUIDField()
    reason = models.CharField(max_length=32)
    blocks = models.BigIntegerField(default=0)
    last_at = models.DateTimeField()


class Traffic(models.Model):
    """Ten seconds of what one gateway was asked of an endpoint (`traffic.Window`)."""

    pk = models.CompositePrimaryKey("endpoint_id", "start_at", "gateway")
    endpoint_id = models.UUIDField()
    start_at = models.DateTimeField()
    gateway = models.UUIDField()  # the process
    data = models.BinaryField()

    class Meta:
        indexes = [models.Index(fields=["start_at"], name="traffic_age")]
