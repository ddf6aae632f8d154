"""Everything that changes a gang or a workload. Read docs/subsystems/workloads.md first.

Rows are locked in one order everywhere: the gang, its workloads by rank, then nodes.
"""

from apps.workloads.services.moves import StaleFence, forget_events
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
from apps.workloads.services.restoring import (
    NothingHeld,
    begin_restore,
    give_up_node,
    is_held,
    meet,
    release_restore,
    stop_orphan,
    why_held,
)
from apps.workloads.services.starting import StartRequestRefused, approve_start
from apps.workloads.services.stopping import keep_while_needed, stop_gang

__all__ = [
    "DemandTooLarge",
    "NothingHeld",
    "OutputNotThere",
    "PlacedElsewhere",
    "StaleFence",
    "StartRequestRefused",
    "apply_report",
    "approve_start",
    "assign",
    "begin_restore",
    "check_demand",
    "explain_waiting",
    "finish_output",
    "forget_events",
    "give_up_node",
    "give_up_start",
    "is_held",
    "keep_while_needed",
    "meet",
    "reconcile",
    "release_restore",
    "request_gang",
    "request_output",
    "stop_gang",
    "stop_orphan",
    "take_back",
    "why_held",
]
