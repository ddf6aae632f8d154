from apps.common.events import subscribe
from apps.common.sweeps import wake
from apps.datasets.events import VersionPublished
from apps.jobs import services
from apps.workloads.events import GangWaits, WorkloadMoved


@subscribe(WorkloadMoved)
def follow_workload(event: WorkloadMoved) -> None:
    if event.owner_kind == "run":
        wake("runs")
        services.say_run_moved(run_id=event.owner_id)


@subscribe(GangWaits)
def tell_why_it_waits(event: GangWaits) -> None:
    if event.owner_kind == "run":
        services.say_run_moved(run_id=event.owner_id)


@subscribe(VersionPublished)
def import_soon(event: VersionPublished) -> None:
    wake("imports")
