"""Everything that changes a gang or a workload. Read docs/subsystems/workloads.md first.

Rows are locked in one order everywhere: the gang, its workloads by rank, then nodes.
"""

from apps.workloads.services.moves import StaleFence
from apps.workloads.services.outputs import OutputNotThere, finish_output, request_output
from apps.workloads.services.placing import (
    DemandTooLarge,
    PlacedElsewhere,
    assign,
    check_demand,
    explain_waiting,
    give_up_start,
    request_gang,
    take_back,
)
from apps.workloads.services.reporting import apply_report, reconcile
from apps.workloads.services.starting import StartRequestRefused, approve_start
from apps.workloads.services.stopping import keep_while_needed, stop_gang

__all__ = [
    "DemandTooLarge",
    "OutputNotThere",
    "PlacedElsewhere",
    "StaleFence",
    "StartRequestRefused",
    "apply_report",
    "approve_start",
    "assign",
    "check_demand",
    "explain_waiting",
    "finish_output",
    "give_up_start",
    "keep_while_needed",
    "reconcile",
    "request_gang",
    "request_output",
    "stop_gang",
    "take_back",
]
