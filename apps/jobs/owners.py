from collections.abc import Collection
from uuid import UUID

from apps.common.owners import OwnerName, name_owners
from apps.jobs.models import Run


@name_owners("run")
def names_of_runs(ids: Collection[UUID]) -> dict[UUID, OwnerName]:
    """The jobs of some runs."""
    rows = Run.objects.filter(pk__in=ids).values_list(
        "id", "job__kind", "job_id", "job__name", "number"
    )
    return {id: OwnerName(kind, job, name, number) for id, kind, job, name, number in rows}
