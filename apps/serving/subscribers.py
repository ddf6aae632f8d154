from agents.protocol.workloads import WorkloadState
from apps.common.events import subscribe
from apps.common.sweeps import wake
from apps.serving import services
from apps.serving.models import OWNER_KIND
from apps.workloads.events import GangWaits, WorkloadMoved


@subscribe(WorkloadMoved)
def follow_workload(event: WorkloadMoved) -> None:
    if event.owner_kind == OWNER_KIND:
        wake("serving")
        if event.state is WorkloadState.RUNNING:
            wake("replicas")
        services.say_replica_moved(replica_id=event.owner_id)


@subscribe(GangWaits)
def tell_why_it_waits(event: GangWaits) -> None:
    if event.owner_kind == OWNER_KIND:
        services.say_replica_moved(replica_id=event.owner_id)
