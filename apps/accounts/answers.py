"""What people are called."""

from collections.abc import Collection
from uuid import UUID

from apps.accounts.models import User
from apps.common.answers import names


@names("user")
def names_of_people(ids: Collection[UUID]) -> dict[UUID, str]:
    return dict(User.objects.filter(id__in=ids).values_list("id", "username"))
