"""What is over is kept for a while, and not for ever; what is not over is never touched."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.sessions.models import Session
from django.utils.module_loading import autodiscover_modules

from agents.protocol.workloads import WorkloadState
from apps.accounts import services as accounts
from apps.accounts.models import Token
from apps.common.sweeps import SWEEPS
from apps.fleet import services as fleet
from apps.fleet.models import JoinToken, Outbox
from apps.serving import services as serving
from apps.workloads import services as workloads
from apps.workloads.models import WorkloadEvent
from apps.workloads.services import moves
from tests import make
from tests.apps.workloads import make as gangs
from tests.make import NOON

pytestmark = pytest.mark.django_db

OLD, YOUNG = NOON - timedelta(days=31), NOON - timedelta(days=29)
BEFORE = NOON - timedelta(days=30)
LATER = NOON + timedelta(days=30)


class TestAccounts:
    @pytest.mark.parametrize(
        ("expires_at", "revoked_at", "stays"),
        [
            (LATER, None, True),
            (YOUNG, None, True),
            (OLD, None, False),
            (LATER, YOUNG, True),
            (LATER, OLD, False),
        ],
    )
    def test_tokens(self, expires_at, revoked_at, stays) -> None:
        Token.objects.create(
            user=make.user(), name="t", expires_at=expires_at, revoked_at=revoked_at
        )

        accounts.forget_spent(at=NOON, before=BEFORE)

        assert Token.objects.exists() is stays

    def test_sessions(self) -> None:
        for key, expires in (("over", NOON - timedelta(seconds=1)), ("on", LATER)):
            Session.objects.create(session_key=key, session_data="", expire_date=expires)

        accounts.forget_spent(at=NOON, before=BEFORE)

        assert list(Session.objects.values_list("session_key", flat=True)) == ["on"]


class TestFleet:
    @pytest.mark.parametrize(("expires_at", "stays"), [(YOUNG, True), (OLD, False)])
    def test_invitations(self, expires_at, stays) -> None:
        JoinToken.objects.create(
            secret_sha256="0" * 64, created_by=make.user(), expires_at=expires_at
        )

        fleet.forget_spent(before=BEFORE)

        assert JoinToken.objects.exists() is stays

    @pytest.mark.parametrize(("settled_at", "stays"), [(None, True), (YOUNG, True), (OLD, False)])
    def test_orders(self, settled_at, stays) -> None:
        Outbox.objects.create(
            node=gangs.node(),
            op="start",
            gang_id=uuid4(),
            workload_id=uuid4(),
            fence=1,
            settled_at=settled_at,
        )

        fleet.forget_spent(before=BEFORE)

        assert Outbox.objects.exists() is stays


class TestWorkloads:
    @pytest.mark.parametrize(("ended_at", "left"), [(None, 1), (YOUNG, 2), (OLD, 0)])
    def test_what_happened_to_those_that_ended_long_ago(self, ended_at, left) -> None:
        workload = gangs.gang().workloads.get()
        WorkloadEvent.objects.all().delete()
        moves.note(workload.id, WorkloadState.PENDING, at=OLD, most=None)
        if ended_at:
            workloads.stop_gang(gang_id=workload.gang_id, actor=make.user().actor, at=ended_at)

        workloads.forget_events(before=BEFORE)

        assert WorkloadEvent.objects.count() == left


def test_every_kind_has_its_sweep() -> None:
    autodiscover_modules("sweeps")
    assert {
        "accounts.forget_spent",
        "accounts.forget_ways_in",
        "artifacts.collect_garbage",
        "artifacts.forget_old_uploads",
        "artifacts.scrub",
        "audit.chain_entries",
        "audit.sign_checkpoint",
        "audit.verify_chain",
        "common.forget_idempotency_keys",
        "fleet.forget_events",
        "fleet.forget_nonces",
        "fleet.forget_spent",
        "serving.forget_spent_keys",
        "telemetry.drop_old_partitions",
        "telemetry.forget_traffic",
        "workloads.forget_events",
    } <= SWEEPS.keys()


def test_keys_of_endpoints() -> None:
    assert serving.forget_spent_keys(before=BEFORE) == 0
