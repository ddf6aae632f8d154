from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from apps.common.sweeps import every
from apps.serving import probing, selectors, services


@every(seconds=5, wake="serving")
def reconcile_endpoints() -> None:
    """What is there becomes what is wanted: when something changed, and regardless."""
    services.reconcile_endpoints(at=timezone.now())


@every(seconds=5, wake="replicas")
def probe_replicas() -> None:
    """Replicas that say where they are become ready once they are really reached there."""
    doors = selectors.doors_to_probe(at=timezone.now())
    for door, failure in probing.probe_all(doors):
        services.note_probe(
            replica_id=door.replica_id,
            workload_id=door.workload_id,
            failure=failure,
            at=timezone.now(),
        )


@every(seconds=3600)
def forget_spent_keys() -> None:
    """Keep keys no longer than they are looked at after they are over."""
    services.forget_spent_keys(before=timezone.now() - timedelta(days=settings.SPENT_DAYS))
