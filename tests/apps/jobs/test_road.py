"""The whole road of a job at the level of services, with the agent's part played."""

import pytest

from agents.protocol.base import Reason
from agents.protocol.specs import FileRef, ImportSpec, RecipeSpec, ScriptSpec
from agents.protocol.workloads import Cause, WorkloadState
from apps.accounts.models import Token
from apps.artifacts import storage
from apps.audit.models import Entry
from apps.common.actors import SYSTEM
from apps.datasets.models import DatasetVersion, VersionState
from apps.fleet.models import Node, Outbox
from apps.jobs import selectors, services
from apps.jobs.models import Job, JobState, RunState
from apps.registry.models import Evaluation, ModelVersion
from tests.apps.jobs import make
from tests.apps.jobs.agent import Agent
from tests.apps.workloads import make as hosts
from tests.apps.workloads.make import NOON

pytestmark = pytest.mark.django_db

S = WorkloadState
SIGNATURE = {
    "task": "image_classification",
    "inputs": [{"name": "image", "dtype": "float32", "shape": [None, 1, 28, 28]}],
    "outputs": [{"name": "logits", "dtype": "float32", "shape": [None, 10]}],
    "weights": "model.safetensors",
}
EVALUATION = {"split": "test", "samples": 2000, "metrics": {"accuracy": 0.977, "loss": 0.07}}
TRAINED = {
    "model.safetensors": b"weights",
    "signature.json": SIGNATURE,
    "evaluation.json": EVALUATION,
}


def settled(job: Job) -> Job:
    services.settle_runs(at=NOON)
    return Job.objects.get(pk=job.pk)


class TestTraining:
    def test_goes_from_submission_to_an_evaluated_model(self):
        project = make.project()
        version = make.ready(project)
        agent = Agent(hosts.node())
        job = make.train(project, config={"parameters": {"epochs": 2}, "model": "digits"})
        assert selectors.view(job).waiting == {"code": "waits_for_scheduler", "params": {}}

        agent.take_order()
        assert selectors.view(job).waiting["code"] == "waits_for_node"
        payload = agent.spec.payload
        assert isinstance(payload, RecipeSpec)
        assert payload.parameters["epochs"] == 2
        assert payload.parameters["batch_size"] == 32
        assert [(i.name, i.unpack) for i in agent.spec.inputs] == [("digits", True)]

        agent.ask()
        assert selectors.view(job).waiting["code"] == "fetches_inputs"
        assert [t.digest for t in agent.answer.tickets] == [version.files[0]["digest"]]

        agent.tell(S.RUNNING)
        job = settled(job)
        run = job.runs.get()
        assert (job.state, run.state) == (JobState.RUNNING, RunState.RUNNING)
        assert job.started_at == run.started_at == agent.at
        assert selectors.view(job).waiting is None

        agent.succeed(TRAINED)
        job = settled(job)
        run.refresh_from_db()
        assert (job.state, run.state, run.exit_code) == (JobState.SUCCEEDED, RunState.SUCCEEDED, 0)
        assert [output.path for output in selectors.outputs_of(run)] == sorted(TRAINED)
        assert all(storage.has(o.artifact.digest) for o in selectors.outputs_of(run))
        model = ModelVersion.objects.get()
        assert (model.run_id, model.model.name, model.number) == (run.id, "digits", 1)
        evaluation = Evaluation.objects.get()
        assert evaluation.version == model
        assert evaluation.dataset_version_id == version.id
        assert evaluation.metrics == EVALUATION["metrics"]
        assert selectors.view(job).model_version == model
        assert not Token.objects.filter(run_id=run.id, revoked_at=None).exists()
        assert not Outbox.objects.filter(settled_at=None).exists()
        assert Node.objects.get().reserved_cpu_millis == 0

    def test_may_be_settled_again(self):
        project = make.project()
        make.ready(project)
        agent = Agent(hosts.node())
        job = make.train(project)
        agent.run().succeed(TRAINED)
        settled(job)

        services.settle_run(run_id=job.runs.get().id, at=NOON)

        assert ModelVersion.objects.count() == Evaluation.objects.count() == 1

    def test_fails_when_it_leaves_no_model(self):
        project = make.project()
        make.ready(project)
        agent = Agent(hosts.node())
        job = make.train(project)
        agent.run().succeed({"notes.txt": b"hello"})

        job = settled(job)

        assert job.state == JobState.FAILED
        run = job.runs.get()
        assert run.reason == {"code": "result_missing", "params": {"file": "signature.json"}}
        assert [output.path for output in selectors.outputs_of(run)] == ["notes.txt"]

    @pytest.mark.parametrize(
        ("broken", "code"),
        [
            ({"signature.json": b"{"}, "result_unreadable"),
            ({"signature.json": {"task": 7}}, "result_unreadable"),
            ({"signature.json": SIGNATURE | {"weights": "other.safetensors"}}, "result_refused"),
            ({"signature.json": b" " * 1024 * 1024 + b"{}"}, "result_too_large"),
            ({"evaluation.json": b"\xff\xfe"}, "result_unreadable"),
        ],
    )
    def test_fails_clearly_when_a_result_is_broken(self, broken, code):
        project = make.project()
        make.ready(project)
        agent = Agent(hosts.node())
        job = make.train(project)
        agent.run().succeed(TRAINED | broken)

        job = settled(job)

        run = job.runs.get()
        assert (job.state, run.state, run.cause) == ("failed", "failed", "user_code")
        assert run.reason["code"] == code
        assert not ModelVersion.objects.exists()
        assert selectors.outputs_of(run).count() == 3

    def test_takes_no_file_that_was_not_handed_in(self):
        """A node that knows a digest of another project's file gets nobody that file."""
        stranger = make.artifact(make.project(), b"secret")
        project = make.project()
        agent = Agent(hosts.node())
        job = make.script(project)
        agent.run().tell(S.FINISHING)
        agent.tell(
            S.SUCCEEDED,
            outputs=[FileRef(path="stolen", digest=stranger.digest, size=stranger.size)],
        )

        job = settled(job)

        run = job.runs.get()
        assert (job.state, run.reason["code"]) == (JobState.FAILED, "artifact_unknown")
        assert not selectors.outputs_of(run).exists()


class TestScript:
    def test_runs_what_was_uploaded(self):
        project = make.project()
        make.ready(project)
        agent = Agent(hosts.node())
        job = make.script(
            project,
            config={"arguments": ["--fast"], "inputs": [{"name": "data", "dataset": "digits@1"}]},
        )

        agent.take_order()
        payload = agent.spec.payload
        assert isinstance(payload, ScriptSpec)
        assert (payload.entrypoint, payload.code.path) == ("main.py", "main.py")
        assert payload.arguments == ["--fast"]
        agent.ask().tell(S.RUNNING).succeed({"result.csv": b"1,2"})

        job = settled(job)
        assert job.state == JobState.SUCCEEDED
        assert [o.path for o in selectors.outputs_of(job.runs.get())] == ["result.csv"]

    def test_may_leave_a_model_of_its_own(self):
        project = make.project()
        agent = Agent(hosts.node())
        job = make.script(project, name="My net!")
        agent.run().succeed({"model.safetensors": b"w", "signature.json": SIGNATURE})

        settled(job)

        assert ModelVersion.objects.get().model.name == "My-net"

    def test_says_why_it_failed(self):
        agent = Agent(hosts.node())
        job = make.script(make.project())
        agent.run().tell(S.FAILED, exit_code=3, cause=Cause.USER_CODE)

        job = settled(job)

        run = job.runs.get()
        assert (job.state, run.state, run.exit_code, run.cause) == (
            "failed",
            "failed",
            3,
            "user_code",
        )
        assert selectors.view(job).reason == {
            "code": "ended_with_exit_code",
            "params": {"exit_code": 3},
        }


class TestImport:
    def publish(self) -> tuple[DatasetVersion, Agent]:
        version = make.published(make.project())
        services.import_published(at=NOON)
        return version, Agent(hosts.node())

    def test_makes_a_version_ready(self):
        version, agent = self.publish()
        agent.take_order()
        assert isinstance(agent.spec.payload, ImportSpec)
        assert [(i.name, i.unpack) for i in agent.spec.inputs] == [("data", False)]
        agent.ask().tell(S.RUNNING)
        agent.succeed(
            {
                "profile.json": {
                    "kind": "images_by_class",
                    "samples": 2,
                    "counts": {"0": 1, "1": 1},
                    "thumbnails": {"0": ["thumbnails/0.png"]},
                    "unpack": True,
                },
                "thumbnails/0.png": b"png",
            }
        )

        job = settled(Job.objects.get())

        version.refresh_from_db()
        assert (job.state, version.state, version.kind) == (
            "succeeded",
            "ready",
            "images_by_class",
        )

    def test_makes_one_job_however_often_it_is_asked(self):
        self.publish()

        services.import_published(at=NOON)
        assert services.import_version(version_id=DatasetVersion.objects.get().id, at=NOON) is None

        assert Job.objects.count() == 1

    def test_says_why_a_version_cannot_be_used(self):
        version, agent = self.publish()
        agent.run().fail("archive_unreadable", cause=Cause.USER_CODE)

        settled(Job.objects.get())

        version.refresh_from_db()
        assert version.state == VersionState.FAILED
        assert version.reason == {"code": "archive_unreadable", "params": {}}

    def test_fails_the_version_when_the_profile_is_missing(self):
        version, agent = self.publish()
        agent.run().succeed()

        settled(Job.objects.get())

        version.refresh_from_db()
        assert version.state == VersionState.FAILED
        assert version.reason["code"] == "result_missing"

    def test_fails_the_version_when_it_is_stopped(self):
        version, _ = self.publish()

        services.stop_job(job_id=Job.objects.get().id, actor=SYSTEM, at=NOON)

        version.refresh_from_db()
        assert (version.state, version.reason["code"]) == (VersionState.FAILED, "stopped_by")


class TestTryingAgain:
    def end(self, job: Job, agent: Agent, cause: Cause) -> Job:
        agent.run().fail(cause=cause)
        return settled(job)

    def states(self, job: Job) -> list[str]:
        return list(job.runs.order_by("number").values_list("state", flat=True))

    @pytest.mark.parametrize("cause", [Cause.ENVIRONMENT, Cause.HARDWARE, Cause.NODE_LOST])
    def test_happens_when_it_was_not_the_codes_fault(self, cause):
        job, agent = make.script(make.project(), max_retries=1), Agent(hosts.node())

        job = self.end(job, agent, cause)

        assert (job.state, self.states(job)) == ("queued", ["failed", "queued"])

    def test_ends_with_the_retries(self):
        job, agent = make.script(make.project(), max_retries=1), Agent(hosts.node())

        self.end(job, agent, Cause.ENVIRONMENT)
        job = self.end(job, agent, Cause.ENVIRONMENT)

        assert (job.state, self.states(job)) == ("failed", ["failed", "failed"])

    @pytest.mark.parametrize("cause", [Cause.USER_CODE, Cause.OUT_OF_MEMORY])
    def test_does_not_happen_when_it_would_end_the_same_way(self, cause):
        job, agent = make.script(make.project(), max_retries=5), Agent(hosts.node())

        job = self.end(job, agent, cause)

        assert (job.state, self.states(job)) == ("failed", ["failed"])

    def test_always_happens_after_an_interruption_and_does_not_count(self):
        project = make.project()
        make.ready(project)
        job, agent = make.train(project, max_retries=0), Agent(hosts.node())

        self.end(job, agent, Cause.INTERRUPTED)
        job = self.end(job, agent, Cause.INTERRUPTED)
        assert (job.state, self.states(job)) == ("queued", ["interrupted", "interrupted", "queued"])

        agent.run().succeed(TRAINED)
        job = settled(job)
        assert (job.state, self.states(job)[-1]) == ("succeeded", "succeeded")
        assert [len(run.inputs.all()) for run in job.runs.all()] == [1, 1, 1]

    def test_happens_when_a_node_stopped_what_nobody_asked_it_to(self):
        job, agent = make.script(make.project()), Agent(hosts.node())
        agent.run().tell(S.FINISHING, exit_code=0).tell(S.STOPPED, cause=Cause.STOPPED)

        job = settled(job)

        assert (job.state, self.states(job)) == ("queued", ["interrupted", "queued"])
        assert job.runs.get(number=1).reason["code"] == "stopped_on_node"

    def test_gives_up_when_no_node_could_hold_it_any_more(self):
        large = hosts.node(cpus=8)
        hosts.node(cpus=1)
        job = make.script(make.project(), max_retries=1, config={"resources": {"cpu_millis": 8000}})
        Agent(large).run().fail(cause=Cause.ENVIRONMENT)
        Node.objects.filter(pk=large.pk).update(removed_at=NOON)

        job = settled(job)

        assert (job.state, self.states(job)) == ("failed", ["failed"])
        assert job.runs.get().reason["code"] == "exceeds_cpus"


class TestStopping:
    def stop(self, job: Job) -> Job:
        return services.stop_job(job_id=job.id, actor=SYSTEM, at=NOON)

    def test_cancels_what_waits_at_once(self):
        job = self.stop(make.script(make.project()))

        assert (job.state, job.stopped_by) == (JobState.CANCELLED, "datahall")
        assert job.runs.get().state == RunState.STOPPED
        assert selectors.view(job).reason == {
            "code": "stopped_by",
            "params": {"name": "datahall"},
        }
        assert Entry.objects.filter(action="job.stop", object_id=job.id).exists()

    def test_waits_for_the_node_to_end_what_runs(self):
        agent = Agent(hosts.node())
        job = make.script(make.project())
        agent.run()
        settled(job)

        job = self.stop(job)
        assert (job.state, job.stop_asked_at) == (JobState.RUNNING, NOON)

        agent.tell(S.FINISHING).tell(S.STOPPED, cause=Cause.STOPPED)
        job = settled(job)
        assert (job.state, job.runs.get().state) == (JobState.CANCELLED, RunState.STOPPED)

    def test_keeps_the_result_of_what_was_done_before(self):
        agent = Agent(hosts.node())
        job = make.script(make.project())
        agent.run()
        self.stop(job)

        agent.succeed({"result": b"1"})

        assert settled(job).state == JobState.SUCCEEDED

    def test_does_not_try_again(self):
        agent = Agent(hosts.node())
        job = make.script(make.project(), max_retries=3)
        agent.run()
        self.stop(job)

        agent.fail(cause=Cause.INTERRUPTED)

        job = settled(job)
        assert (job.state, job.runs.count()) == (JobState.CANCELLED, 1)

    def test_is_refused_when_it_is_over(self):
        job = self.stop(make.script(make.project()))

        with pytest.raises(services.JobAlreadyOver):
            self.stop(job)


class TestSettleRuns:
    def test_goes_on_after_a_run_that_cannot_be_settled(self, monkeypatch, caplog):
        node = hosts.node()
        bad = make.script(make.project())
        Agent(node).run().succeed()
        good = make.script(make.project())
        Agent(node).run().succeed()
        settle = services.settle_run

        def stumble(*, run_id, at):
            if run_id == bad.runs.get().id:
                raise RuntimeError("disk on fire")
            settle(run_id=run_id, at=at)

        monkeypatch.setattr(services, "settle_run", stumble)

        assert settled(good).state == JobState.SUCCEEDED
        assert "disk on fire" in caplog.text

    def test_says_what_moved(self, published):
        agent = Agent(hosts.node())
        job = make.script(make.project())
        agent.run()
        published.clear()

        settled(job)

        assert [(e.job_id, e.state) for e in published] == [(job.id, "running")]
        assert published[0].topics == [f"job.{job.id}", f"project.{job.project_id}"]

    def test_keeps_the_reason_of_the_node(self):
        agent = Agent(hosts.node())
        job = make.script(make.project())
        agent.run().tell(
            S.FAILED, reason=Reason(code="requirements_failed", params={"line": "nope"})
        )

        settled(job)

        assert job.runs.get().reason["params"] == {"line": "nope"}
