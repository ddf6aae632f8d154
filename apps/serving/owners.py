from collections.abc import Collection
from uuid import UUID

from apps.common.owners import OwnerName, name_owners
from apps.serving.models import OWNER_KIND, Replica


@name_owners(OWNER_KIND)
def names_of_replicas(ids: Collection[UUID]) -> dict[UUID, OwnerName]:
    """The endpoints of some replicas."""
    rows = Replica.objects.filter(pk__in=ids).values_list(
        "id", "deployment__endpoint_id", "deployment__endpoint__name", "number"
    )
    return {id: OwnerName("replica", endpoint, name, n) for id, endpoint, name, n in rows}
