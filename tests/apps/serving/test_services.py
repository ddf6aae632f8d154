from datetime import timedelta
from itertools import pairwise

import pytest

from agents.protocol.base import Reason
from agents.protocol.specs import ServeSpec, decode_spec
from agents.protocol.workloads import Cause
from apps.audit.models import Entry
from apps.common.actors import SYSTEM
from apps.common.errors import InputRefused, NotFound
from apps.common.guards import check_deletion
from apps.serving import selectors, services
from apps.serving.models import Deployment, Endpoint, Key, Replica, ReplicaState
from apps.workloads.models import Gang, Workload
from tests import make as people
from tests.apps.serving import make
from tests.apps.serving.make import NOON, Hall

pytestmark = pytest.mark.django_db

UNREACHED = Reason(code="replica_unreachable", params={"host": "h", "port": 1, "why": "refused"})


@pytest.fixture
def hall() -> Hall:
    return Hall()


@pytest.fixture
def project():
    return make.project()


@pytest.fixture
def endpoint(project, hall) -> Endpoint:
    """One that serves version 1 with two replicas; version 2 is there."""
    make.version(project)
    row = make.endpoint(project, replicas=2)
    make.version(project)
    hall.bring_up()
    assert make.view(row).state == "ready"
    return row


def deploy(row: Endpoint, model: str, **fields) -> Endpoint:
    wanted = {"resources": None, "max_batch": None, "user": None, "actor": SYSTEM, "at": NOON}
    return services.deploy(endpoint_id=row.id, model=model, **wanted | fields)


def roll_back(row: Endpoint, number: int | None = None) -> Endpoint:
    return services.roll_back(endpoint_id=row.id, number=number, user=None, actor=SYSTEM, at=NOON)


def scale(row: Endpoint, replicas: int, at=NOON) -> Endpoint:
    return services.scale(endpoint_id=row.id, replicas=replicas, actor=SYSTEM, at=at)


def live(row: Endpoint) -> list[Replica]:
    rows = Replica.objects.filter(deployment__endpoint=row, ended_at=None)
    return list(rows.order_by("number"))


class TestCreate:
    def test_starts_replicas_with_the_recipes_resources(self, project, hall, published):
        version = make.version(project)

        row = make.endpoint(project, replicas=2, max_queue=7, max_batch=16)

        assert make.states(row) == [(1, "starting"), (1, "starting")]
        assert {gang.owner_kind for gang in Gang.objects.all()} == {"replica"}
        spec = decode_spec(bytes(Workload.objects.first().spec))
        assert spec.payload == ServeSpec(max_batch=16, max_queue=7)
        assert (spec.resources.cpu_millis, spec.resources.memory_bytes) == (500, 1 << 30)
        assert [(i.name, len(i.files)) for i in spec.inputs] == [("model", 2)]
        assert row.deployment.version == version
        entry = Entry.objects.get(action="endpoint.create")
        assert entry.detail["model"] == "digits@1"
        assert [event.name for event in published] == ["endpoint.moved"]

    @pytest.mark.parametrize(
        ("fields", "field", "code"),
        [
            ({"name": "a/b"}, "name", "name_refused"),
            ({"model": "nothing"}, "model", "model_unknown"),
            ({"model": "digits@7"}, "model", "model_version_unknown"),
            ({"model": "plain"}, "model", "version_not_servable"),
            ({"resources": {"cpu_millis": 64_000}}, "resources", "exceeds_cpus"),
        ],
    )
    def test_refuses_with_the_field(self, project, hall, fields, field, code):
        make.version(project)
        make.version(project, name="plain", recipe="")

        with pytest.raises(InputRefused) as refused:
            make.endpoint(project, **fields)

        assert [(r.field, r.code) for r in refused.value.refusals] == [(field, code)]
        assert not Endpoint.objects.exists()

    def test_refuses_a_name_twice_but_not_after_deletion(self, project, hall):
        make.version(project)
        row = make.endpoint(project)
        with pytest.raises(InputRefused) as refused:
            make.endpoint(project)
        assert refused.value.refusals[0].code == "endpoint_name_taken"

        services.delete_endpoint(endpoint_id=row.id, actor=SYSTEM, at=NOON)

        assert make.endpoint(project).name == "digits"

    def test_takes_no_version_of_another_project(self, project, hall):
        theirs = make.version(make.project())

        with pytest.raises(InputRefused):
            make.endpoint(project, model=str(theirs.id))


class TestBecomingReady:
    def test_says_at_every_step_what_it_waits_for(self, project, hall):
        make.version(project)
        row = make.endpoint(project)

        def now() -> tuple[str, str | None]:
            view = make.view(row)
            return view.state, view.reason and view.reason["code"]

        assert now() == ("starting", "waits_for_scheduler")
        hall.start(serving=False)
        assert now() == ("starting", "replica_warms_up")
        assert list(selectors.doors_to_probe(at=NOON)) == []

    def test_is_ready_once_it_is_reached(self, project, hall, published):
        make.version(project)
        row = make.endpoint(project)
        hall.start()
        published.clear()

        hall.probe()

        view = make.view(row)
        assert (view.state, view.replicas_ready, view.reason) == ("ready", 1, None)
        assert live(row)[0].ready_at == hall.at
        assert [event.name for event in published] == ["endpoint.moved"]

    def test_says_why_it_is_not_reached_and_recovers(self, project, hall):
        make.version(project)
        row = make.endpoint(project)
        hall.start().probe(UNREACHED)
        view = make.view(row)
        assert (view.state, view.reason["code"]) == ("degraded", "replica_unreachable")

        hall.probe()

        assert make.view(row).state == "ready"

    def test_may_miss_one_look_but_not_two(self, endpoint, hall):
        hall.passes(20).probe(UNREACHED)
        assert make.view(endpoint).state == "ready"

        hall.passes(5).probe(UNREACHED)

        assert make.view(endpoint).state == "degraded"
        assert {r.state for r in live(endpoint)} == {"unreachable"}

    def test_is_looked_at_seldom_while_it_is_well(self, endpoint, hall):
        assert selectors.doors_to_probe(at=hall.at + timedelta(seconds=14)) == []
        assert len(selectors.doors_to_probe(at=hall.at + timedelta(seconds=15))) == 2

    def test_is_unreachable_if_its_node_says_no_usable_address(self, project, hall, monkeypatch):
        make.version(project)
        row = make.endpoint(project)
        monkeypatch.setattr(make, "PEM", "none")

        hall.start().reconcile()

        assert make.view(row).reason == {
            "code": "service_refused",
            "params": {"field": "certificate"},
        }

    def test_ignores_a_look_that_comes_too_late(self, endpoint, hall):
        (door, _) = selectors.doors_to_probe(at=hall.passes(20).at)
        scale(endpoint, 0)

        services.note_probe(
            replica_id=door.replica_id, workload_id=door.workload_id, failure=None, at=hall.at
        )

        assert {r.state for r in live(endpoint)} == {"stopping"}


class TestDeploy:
    def test_starts_new_before_it_stops_old(self, endpoint, hall):
        deploy(endpoint, "digits@2")
        assert make.states(endpoint) == [(1, "ready"), (1, "ready"), (2, "starting")]
        view = make.view(endpoint)
        assert (view.state, view.previous.number, view.replicas_ready) == ("updating", 1, 2)

        hall.bring_up()
        assert make.states(endpoint) == [
            (1, "ready"),
            (1, "stopping"),
            (2, "ready"),
            (2, "starting"),
        ]
        hall.obey().bring_up().obey()

        assert Replica.objects.get(number=1).reason == {
            "code": "replica_replaced",
            "params": {"deployment": 2},
        }
        assert [s for s in make.states(endpoint) if s[1] != "ended"] == [(2, "ready"), (2, "ready")]
        view = make.view(endpoint)
        assert (view.state, view.previous, view.deployment.number) == ("ready", None, 2)

    def test_keeps_what_is_left_out(self, endpoint):
        deploy(endpoint, "digits@2", resources={"cpu_millis": 700})

        row = deploy(endpoint, "digits@2", max_batch=8)

        assert (row.deployment.number, row.deployment.max_batch) == (3, 8)
        assert row.deployment.resources["cpu_millis"] == 700

    def test_that_cannot_work_is_given_up_at_once_and_the_old_serves_on(self, endpoint, hall):
        deploy(endpoint, "digits@2")
        hall.start(serving=False)
        hall.fail(live(endpoint)[-1], cause=Cause.USER_CODE, code="ended_without_reason")

        hall.reconcile()

        view = make.view(endpoint)
        assert (view.state, view.replicas_ready) == ("degraded", 2)
        assert view.reason["code"] == "ended_without_reason"
        assert view.previous.number == 1
        hall.passes(3600).reconcile()
        assert len(live(endpoint)) == 2

    def test_of_something_else_is_tried_after_one_was_given_up(self, endpoint, hall):
        deploy(endpoint, "digits@2")
        hall.start(serving=False).fail(live(endpoint)[-1], cause=Cause.USER_CODE).reconcile()

        deploy(endpoint, "digits@1", max_batch=1)

        assert make.view(endpoint).state == "updating"

    def test_is_refused_for_a_version_that_is_not_there(self, endpoint):
        with pytest.raises(InputRefused):
            deploy(endpoint, "digits@9")

        assert Deployment.objects.count() == 1


class TestRollBack:
    def test_returns_to_the_newest_sound_one_that_differs(self, endpoint):
        deploy(endpoint, "digits@2")

        row = roll_back(endpoint)

        assert (row.deployment.number, row.deployment.version.number) == (3, 1)
        assert Entry.objects.get(action="endpoint.rollback").detail["returns_to"] == 1

    def test_returns_to_a_number(self, endpoint):
        deploy(endpoint, "digits@2")
        deploy(endpoint, "digits@1")

        assert roll_back(endpoint, 2).deployment.version.number == 2

    def test_needs_something_to_return_to(self, endpoint):
        with pytest.raises(services.NothingToReturnTo):
            roll_back(endpoint)

    def test_refuses_a_number_that_is_none(self, endpoint):
        with pytest.raises(InputRefused) as refused:
            roll_back(endpoint, 9)

        assert [(r.field, r.code) for r in refused.value.refusals] == [
            ("deployment", "deployment_unknown")
        ]


class TestScale:
    def test_up_and_down(self, endpoint, hall):
        scale(endpoint, 3)
        assert len(live(endpoint)) == 3
        assert make.view(endpoint).state == "starting"
        hall.bring_up()

        scale(endpoint, 1)

        assert [s for _, s in make.states(endpoint)] == ["ready", "stopping", "stopping"]
        hall.obey()
        reason = Replica.objects.get(number=3).reason
        assert reason == {"code": "stopped_by", "params": {"name": SYSTEM.name}}
        assert make.view(endpoint).state == "ready"

    def test_to_nothing_and_back(self, endpoint, hall):
        scale(endpoint, 0)
        hall.obey()
        assert live(endpoint) == []
        assert make.view(endpoint).state == "stopped"

        scale(endpoint, 1)

        assert make.view(endpoint).state == "starting"

    def test_ends_at_once_what_has_not_started(self, project, hall):
        make.version(project)
        row = make.endpoint(project)

        scale(row, 0)

        assert make.states(row) == [(1, "ended")]

    def test_tries_again_what_was_given_up(self, project, hall):
        make.version(project)
        row = make.endpoint(project)
        hall.start(serving=False).fail(live(row)[0], cause=Cause.USER_CODE).reconcile()
        assert make.view(row).state == "failed"

        scale(row, 1, at=hall.passes(60).at)

        assert make.view(row, hall.at).state == "starting"
        assert len(live(row)) == 1


class TestEnds:
    def test_are_replaced_and_given_up_after_five(self, project, hall):
        make.version(project)
        row = make.endpoint(project)
        begun = []
        for _ in range(5):
            (replica,) = live(row)
            begun.append(hall.at)
            hall.start().fail(replica, cause=Cause.ENVIRONMENT)
            hall.passes(2).reconcile()
            while not live(row) and make.view(row, hall.at).state != "failed":
                hall.passes(1).reconcile()

        view = make.view(row, hall.at)
        assert (view.state, view.reason["code"]) == ("failed", "replicas_keep_ending")
        pauses = [round((b - a).total_seconds()) for a, b in pairwise(begun)]
        assert pauses == [2, 6, 11, 21]  # the fake node takes one of them to tell

    def test_of_a_node_that_was_shut_down_do_not_count(self, endpoint, hall):
        for _ in range(8):
            for replica in live(endpoint):
                hall.fail(replica, cause=Cause.INTERRUPTED)
            hall.passes(2).reconcile().bring_up()

        assert make.view(endpoint, hall.at).state == "ready"

    def test_carry_the_reason(self, endpoint, hall):
        first = live(endpoint)[0]
        hall.fail(first, cause=Cause.HARDWARE, code="ended_by_signal").reconcile()

        first.refresh_from_db()
        assert (first.state, first.cause, first.reason["code"]) == (
            ReplicaState.ENDED,
            "hardware",
            "ended_by_signal",
        )

    def test_the_sweep_goes_on_past_one_that_cannot_be_reconciled(
        self, endpoint, hall, monkeypatch
    ):
        other = make.endpoint(endpoint.project, name="other")
        scale(other, 0)
        Endpoint.objects.update(replicas_wanted=3)
        real = services.reconcile_endpoint

        def breaks(*, endpoint_id, at):
            if endpoint_id == endpoint.id:
                raise RuntimeError("broken")
            real(endpoint_id=endpoint_id, at=at)

        monkeypatch.setattr(services, "reconcile_endpoint", breaks)

        hall.reconcile()

        assert len(live(other)) == 3


class TestSweep:
    def test_locks_nothing_where_nothing_is_to_do(self, endpoint, hall, monkeypatch):
        monkeypatch.delattr(services, "reconcile_endpoint")

        hall.reconcile()

    def test_asks_as_much_for_many_as_for_one(self, endpoint, hall, django_assert_max_num_queries):
        for number in range(5):
            make.endpoint(endpoint.project, name=f"e{number}")

        with django_assert_max_num_queries(6):
            hall.reconcile()


class TestDelete:
    def test_stops_the_replicas_and_then_leaves_nothing(self, endpoint, hall):
        services.delete_endpoint(endpoint_id=endpoint.id, actor=SYSTEM, at=NOON)
        assert {r.state for r in live(endpoint)} == {"stopping"}
        assert not selectors.endpoints_in(endpoint.project).exists()

        hall.obey()

        assert not Endpoint.objects.exists()
        assert not Deployment.objects.exists()
        assert not Replica.objects.exists()
        assert Entry.objects.filter(action="endpoint.delete").exists()

    def test_is_done_once(self, endpoint):
        services.delete_endpoint(endpoint_id=endpoint.id, actor=SYSTEM, at=NOON)

        with pytest.raises(NotFound):
            services.delete_endpoint(endpoint_id=endpoint.id, actor=SYSTEM, at=NOON)

    def test_of_a_version_is_refused_while_an_endpoint_may_return_to_it(self, endpoint, hall):
        version = endpoint.deployment.version
        deploy(endpoint, "digits@2")
        with pytest.raises(services.VersionServed) as refused:
            check_deletion(version)
        assert refused.value.params == {"model": "digits", "number": 1, "endpoint": "digits"}

        services.delete_endpoint(endpoint_id=endpoint.id, actor=SYSTEM, at=NOON)
        hall.obey()

        check_deletion(version)
        version.delete()


class TestLimits:
    def test_are_changed_and_noted(self, endpoint):
        services.set_limits(
            endpoint_id=endpoint.id, max_queue=5, timeout_seconds=None, actor=SYSTEM, at=NOON
        )

        endpoint.refresh_from_db()
        assert (endpoint.max_queue, endpoint.timeout_seconds) == (5, 30.0)
        assert Entry.objects.get(action="endpoint.limits").detail == {
            "name": "digits",
            "max_queue": 5,
        }


class TestKeys:
    def make(self, endpoint, days: int = 90) -> tuple[Key, str]:
        user = people.user()
        return services.create_key(
            endpoint_id=endpoint.id,
            name="shop",
            expires_at=NOON + timedelta(days=days),
            requests_per_minute=60,
            user=user,
            actor=user.actor,
            at=NOON,
        )

    def test_are_told_once_and_kept_as_a_hash(self, endpoint, published):
        key, text = self.make(endpoint)

        assert text.startswith(f"dhk_{key.id.hex}_")
        assert text.rpartition("_")[2] not in str(vars(key))
        assert [event.name for event in published] == ["endpoint.moved"]
        assert Entry.objects.get(action="key.create").project_id == endpoint.project_id

    @pytest.mark.parametrize("days", [0, 366])
    def test_end_in_the_future_and_within_a_year(self, endpoint, days):
        with pytest.raises(services.KeyLifetimeRefused):
            self.make(endpoint, days)

    def test_are_revoked_once(self, endpoint):
        key, _ = self.make(endpoint)
        for at in (NOON, NOON + timedelta(hours=1)):
            services.revoke_key(endpoint_id=endpoint.id, key_id=key.id, actor=SYSTEM, at=at)

        key.refresh_from_db()
        assert key.revoked_at == NOON
        assert Entry.objects.filter(action="key.revoke").count() == 1

    def test_of_another_endpoint_are_not_there(self, endpoint):
        other = make.endpoint(endpoint.project, name="other")
        key, _ = self.make(other)

        with pytest.raises(NotFound):
            services.revoke_key(endpoint_id=endpoint.id, key_id=key.id, actor=SYSTEM, at=NOON)
