"""Plain builders for models that can be served, endpoints, and nodes that run their replicas."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from agents.protocol.base import Reason
from agents.protocol.link import Service
from agents.protocol.results import Signature, Tensor
from agents.protocol.specs import FileRef
from agents.protocol.workloads import Cause, WorkloadState
from apps.common.actors import SYSTEM
from apps.fleet.models import Node, Outbox
from apps.projects.models import Project
from apps.registry import services as registry
from apps.registry.models import ModelVersion
from apps.serving import selectors, services
from apps.serving.models import Endpoint, Replica
from apps.serving.selectors import EndpointView
from apps.workloads import scheduling
from apps.workloads.models import Workload
from tests import make
from tests.apps.jobs.agent import Agent
from tests.apps.workloads.make import NOON, node
from tests.make import project

__all__ = ["NOON", "endpoint", "node", "project", "version"]

S = WorkloadState
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def version(
    owner: Project,
    *,
    name: str = "digits",
    recipe: str = "image_classification",
    run_id: Any = None,
) -> ModelVersion:
    """A version that its recipe can serve."""
    files = []
    for path in ("model.safetensors", "signature.json"):
        artifact = make.artifact(owner, path.encode())
        files.append(FileRef(path=path, digest=artifact.digest, size=artifact.size))
    return registry.register_version(
        project=owner,
        model_name=name,
        run_id=run_id or uuid4(),
        files=files,
        signature=Signature(
            task="image_classification",
            inputs=[Tensor(name="image", dtype="float32", shape=[None, 1, 28, 28])],
            outputs=[Tensor(name="logits", dtype="float32", shape=[None, 10])],
            weights="model.safetensors",
            recipe=recipe,
            labels=list("0123456789"),
        ),
        actor=SYSTEM,
        at=NOON,
    )


def endpoint(owner: Project, *, at: datetime = NOON, **fields: Any) -> Endpoint:
    wanted = {
        "name": "digits",
        "model": "digits",
        "replicas": 1,
        "resources": {},
        "max_batch": 64,
        "max_queue": 1024,
        "timeout_seconds": 30.0,
        "user": None,
        "actor": SYSTEM,
    } | fields
    return services.create_endpoint(project=owner, at=at, **wanted)


class Hall:
    """One node that runs whatever it is ordered to, and a clock."""

    def __init__(self, **fields: Any) -> None:
        self.node: Node = node(**fields)
        self.at = NOON

    def passes(self, seconds: float) -> "Hall":
        self.at += timedelta(seconds=seconds)
        return self

    def reconcile(self) -> "Hall":
        services.reconcile_endpoints(at=self.at)
        return self

    def start(self, *, serving: bool = True) -> "Hall":
        """What was ordered runs, and says where it is reached."""
        scheduling.schedule_waiting(at=self.at)
        for order in Outbox.objects.filter(node=self.node, op="start", settled_at=None):
            agent = Agent(self.node, self.at)
            agent.order = order
            agent.ask()
            assert agent.answer.answer == "yes"
            where = Service(host="10.0.0.7", port=40001, certificate=PEM) if serving else None
            agent.tell(S.RUNNING, service=where)
        return self

    def probe(self, failure: Reason | None = None) -> "Hall":
        """Every replica that says where it is greets back, or does not."""
        for door in selectors.doors_to_probe(at=self.at):
            services.note_probe(
                replica_id=door.replica_id,
                workload_id=door.workload_id,
                failure=failure,
                at=self.at,
            )
        return self

    def bring_up(self) -> "Hall":
        return self.start().probe().reconcile()

    def obey(self) -> "Hall":
        """What was asked to stop has stopped."""
        for order in Outbox.objects.filter(node=self.node, op="stop", settled_at=None):
            self._agent(order).tell(S.FINISHING, exit_code=0).tell(S.STOPPED)
        return self.reconcile()

    def fail(self, replica: Replica, *, cause: Cause, code: str = "boom") -> "Hall":
        workload = Workload.objects.select_related("gang").get(gang_id=replica.gang_id)
        order = Outbox(workload_id=workload.id, fence=workload.gang.fence)
        self._agent(order).fail(code, cause=cause)
        return self

    def _agent(self, order: Outbox) -> Agent:
        agent = Agent(self.node, self.at)
        agent.order = order
        return agent


def view(row: Endpoint, at: datetime = NOON) -> EndpointView:
    return selectors.view(Endpoint.objects.get(pk=row.pk), at=at)


def states(row: Endpoint) -> list[tuple[int, str]]:
    """Deployment and state of every replica, by number."""
    replicas = Replica.objects.filter(deployment__endpoint=row).order_by("number")
    return list(replicas.values_list("deployment__number", "state"))
