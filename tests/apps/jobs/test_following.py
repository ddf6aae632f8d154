"""What follows by itself, and what a crash between two steps leaves behind."""

import pytest

from agents.protocol.workloads import Cause, WorkloadState
from apps.artifacts import paths
from apps.common import events
from apps.common.sweeps import SWEEPS
from apps.datasets.models import DatasetVersion
from apps.jobs import results, selectors, services, subscribers, sweeps
from apps.jobs.models import Job, JobState, RunOutput, RunState
from apps.registry import services as registry
from apps.registry.models import ModelVersion
from apps.workloads import selectors as gangs
from apps.workloads import sweeps as scheduling_sweeps
from tests.apps.jobs import make
from tests.apps.jobs.agent import Agent
from tests.apps.jobs.test_road import TRAINED, settled
from tests.apps.workloads import make as hosts
from tests.apps.workloads.make import NOON

S = WorkloadState


@pytest.fixture
def woken(monkeypatch) -> list[str]:
    """The words that were said, in order."""
    words: list[str] = []
    monkeypatch.setattr("apps.common.sweeps._notify", words.append)
    return words


@pytest.fixture
def told(monkeypatch) -> list[tuple[str, str]]:
    """Topic and event of what watchers were told."""
    heard: list[tuple[str, str]] = []
    monkeypatch.setattr(
        events.hub, "tell", lambda topic, message: heard.append((topic, message.get("event", "")))
    )
    return heard


@pytest.mark.django_db
class TestOutputs:
    def test_of_the_longest_path_are_kept(self):
        job = make.script(make.project())
        path = "/".join(["d" * 255] * 3 + ["f" * 254, "x"])
        assert len(path) == paths.MAX_PATH_BYTES

        Agent(hosts.node()).run().succeed({path: b"weights"})
        sweeps.settle_runs()

        assert settled(job).state == JobState.SUCCEEDED
        assert RunOutput.objects.get().path == path


@pytest.mark.django_db
def test_lists_of_jobs_leave_specs_in_the_database():
    job = make.script(make.project())

    gang = gangs.gangs([job.runs.get().gang_id]).popitem()[1]

    assert {"spec", "outputs"} <= gangs.first_workload(gang).get_deferred_fields()


@pytest.mark.django_db(transaction=True)
class TestFacts:
    def test_wake_whoever_has_to_act(self, woken):
        project = make.project()
        make.published(project)
        assert "imports" in woken

        job = make.script(project)
        assert woken[-1] == "schedule"

        agent = Agent(hosts.node()).take_order()
        assert "outbox" in woken
        assert "runs" in woken

        woken.clear()
        agent.ask().tell(S.RUNNING).tell(S.FINISHING)
        assert {"runs", "schedule"} <= set(woken)  # there is room again
        assert job.runs.count() == 1

    def test_tell_the_jobs_watchers(self, told):
        job = make.script(make.project())
        assert (f"job.{job.id}", "job.moved") in told
        assert (f"project.{job.project_id}", "job.moved") in told

        told.clear()
        agent = Agent(hosts.node()).take_order()
        assert (f"workload.{agent.order.workload_id}", "workload.moved") in told
        assert (f"job.{job.id}", "job.moved") in told

    def test_say_that_the_reason_to_wait_is_another(self, told):
        job = make.script(make.project())
        hosts.node(cordoned_at=NOON)
        told.clear()

        scheduling_sweeps.schedule_waiting()

        assert (f"job.{job.id}", "job.moved") in told
        assert selectors.view(Job.objects.get()).waiting["code"] == "no_node_ready"


@pytest.mark.django_db(transaction=True)
class TestSweepsAlone:
    """Every fact may be lost: the sweeps bring everything to its end without one."""

    @pytest.fixture(autouse=True)
    def _silence(self, monkeypatch):
        monkeypatch.setattr(events, "_deliver", lambda event: None)
        monkeypatch.setattr("apps.common.sweeps._notify", lambda word: None)

    def test_are_enough(self):
        project = make.project()
        make.published(project)
        agent = Agent(hosts.node())

        sweeps.import_published()
        scheduling_sweeps.schedule_waiting()
        agent.run().succeed({"profile.json": {"kind": "images_by_class", "samples": 1}})
        sweeps.settle_runs()
        assert DatasetVersion.objects.get().state == "ready"

        job = make.train(project)
        scheduling_sweeps.schedule_waiting()
        agent.run().succeed(TRAINED)
        sweeps.settle_runs()

        job.refresh_from_db()
        assert job.state == JobState.SUCCEEDED
        assert ModelVersion.objects.count() == 1

    def test_are_registered_with_the_words_that_wake_them(self):
        assert SWEEPS["workloads.schedule_waiting"].wake == "schedule"
        assert SWEEPS["jobs.settle_runs"].wake == "runs"
        assert SWEEPS["jobs.import_published"].wake == "imports"
        assert subscribers.follow_workload


@pytest.mark.django_db(transaction=True)
class TestCrash:
    """A process that dies in the middle leaves nothing half done, and the next turn does it all."""

    @pytest.mark.parametrize(
        ("module", "step"),
        [
            (results, "interpret"),
            (registry, "record_evaluation"),
            (services.accounts, "revoke_run_tokens"),
            (services, "_end_job"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_while_settling_changes_nothing(self, monkeypatch, module, step):
        project = make.project()
        make.ready(project)
        agent = Agent(hosts.node())
        job = make.train(project)
        agent.run().succeed(TRAINED)

        with monkeypatch.context() as patch:

            def die(*args, **kwargs):
                raise SystemExit

            patch.setattr(module, step, die)
            with pytest.raises(SystemExit):
                services.settle_runs(at=NOON)
        assert job.runs.get().state == RunState.QUEUED
        assert not ModelVersion.objects.exists()
        assert not RunOutput.objects.exists()

        assert settled(job).state == JobState.SUCCEEDED
        assert ModelVersion.objects.count() == 1
        assert RunOutput.objects.count() == 3

    def test_while_submitting_leaves_no_job(self, monkeypatch):
        def die(**kwargs):
            raise SystemExit

        project = make.project()
        monkeypatch.setattr(services.workloads, "request_gang", die)

        with pytest.raises(SystemExit):
            make.script(project)

        assert not Job.objects.exists()

    def test_a_retry_avoids_the_node_whose_hardware_failed(self):
        agent = Agent(hosts.node())
        job = make.script(make.project(), max_retries=1)

        agent.run().fail(cause=Cause.HARDWARE)
        settled(job)

        newest = job.runs.order_by("-number")[0]
        assert gangs.gangs([newest.gang_id])[newest.gang_id].avoid == [str(agent.node.id)]

    def test_while_trying_again_leaves_the_run_to_be_settled(self, monkeypatch):
        agent = Agent(hosts.node())
        job = make.script(make.project(), max_retries=1)
        agent.run().fail(cause=Cause.ENVIRONMENT)

        def die(*args, **kwargs):
            raise SystemExit

        with monkeypatch.context() as patch:
            patch.setattr(services, "_start_run", die)
            with pytest.raises(SystemExit):
                services.settle_runs(at=NOON)
        assert [run.state for run in job.runs.all()] == ["queued"]

        settled(job)
        assert sorted(run.state for run in job.runs.all()) == ["failed", "queued"]
