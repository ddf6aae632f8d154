from apps.common.events import subscribe
from apps.common.sweeps import wake
from apps.fleet.events import NodeMoved
from apps.workloads.events import GangQueued, RoomFreed


@subscribe(GangQueued)
def schedule_soon(event: GangQueued) -> None:
    wake("schedule")


@subscribe(RoomFreed)
def use_the_room(event: RoomFreed) -> None:
    wake("schedule")


@subscribe(NodeMoved)
def use_the_node(event: NodeMoved) -> None:
    """It may have joined, come back, or been uncordoned."""
    wake("schedule")
