"""The database holds the same edges as agents.protocol.workloads.TRANSITIONS."""

import pytest
from django.db import IntegrityError, connection, transaction

from agents.protocol.workloads import FINAL, TRANSITIONS, WorkloadState
from apps.workloads.models import Workload
from tests.apps.workloads import make
from tests.apps.workloads.make import NOON

pytestmark = pytest.mark.django_db


def workload_in(state: WorkloadState) -> Workload:
    """A row in any state, as a restore would write it."""
    workload = make.gang().workloads.defer(None).get()
    Workload.objects.filter(pk=workload.pk).delete()
    workload.state = state.value
    workload.node = make.node()
    workload.ended_at = NOON if state in FINAL else None
    workload.save(force_insert=True)
    return workload


def move(workload: Workload, state: WorkloadState) -> bool:
    try:
        with transaction.atomic():
            Workload.objects.filter(pk=workload.pk).update(
                state=state.value, ended_at=NOON if state in FINAL else None
            )
    except IntegrityError:
        return False
    return True


@pytest.mark.parametrize("state", WorkloadState)
def test_takes_the_edges_of_the_table_and_no_others(state):
    workload = workload_in(state)

    for other in WorkloadState:
        if other is state:
            continue
        with transaction.atomic():
            assert move(workload, other) == (other in TRANSITIONS[state]), (state, other)
            transaction.set_rollback(True)


@pytest.mark.parametrize("state", sorted(FINAL))
def test_refuses_any_change_of_a_row_that_is_over(state):
    workload = workload_in(state)

    with pytest.raises(IntegrityError), transaction.atomic():
        Workload.objects.filter(pk=workload.pk).update(exit_code=7)


def test_takes_a_change_that_is_none():
    workload = workload_in(WorkloadState.FAILED)

    assert Workload.objects.filter(pk=workload.pk).update(exit_code=None) == 1


def test_gives_rising_fences():
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('workloads_fence'), nextval('workloads_fence')")
        first, second = cursor.fetchone()

    assert second > first
