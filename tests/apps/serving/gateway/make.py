"""Rows of an endpoint with replicas, as the services and the sweeps would have left them."""

from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.accounts import credentials
from apps.common.ids import uuid7
from apps.projects.models import Project
from apps.registry.models import Model, ModelVersion
from apps.serving.models import Deployment, Endpoint, Key, ReplicaState
from apps.serving.models import Replica as ReplicaRow
from apps.workloads.bearers import bearer_of
from apps.workloads.models import Workload
from tests import make
from tests.apps.serving.gateway.replica import Replica
from tests.apps.workloads import make as workloads

_numbers = count(1)

SIGNATURE = {
    "task": "image_classification",
    "inputs": [{"name": "image", "dtype": "float32", "shape": [None, 1, 2, 2]}],
    "outputs": [{"name": "scores", "dtype": "float32", "shape": [None, 10]}],
    "weights": "model.safetensors",
}
IMAGE = [[[[0.0, 0.25], [0.5, 1.0]]]]
BODY = {"inputs": {"image": IMAGE}}


def endpoint(
    *replicas: Replica,
    project: Project | None = None,
    signature: Any = None,
    max_batch: int = 4,
    **fields: Any,
) -> Endpoint:
    project = project or make.project()
    number = next(_numbers)
    made = Endpoint.objects.create(project=project, name=f"endpoint-{number}", **fields)
    model = Model.objects.create(project=project, name="digits")
    version = ModelVersion.objects.create(
        model=model, number=1, files=[], size=0, signature=signature or SIGNATURE
    )
    made.deployment = Deployment.objects.create(
        endpoint=made,
        number=1,
        version=version,
        resources={},
        max_batch=max_batch,
        tried_from=timezone.now(),
    )
    made.save()
    for replica in replicas:
        ready(made, replica)
    return made


def ready(endpoint: Endpoint, replica: Replica | None) -> ReplicaRow:
    """A replica of the endpoint, ready where the test's replica listens."""
    gang = workloads.gang(owner=endpoint.project)
    workload = gang.workloads.get()
    if replica:
        Workload.objects.filter(pk=workload.pk).update(service=replica.service)
        replica.bearer = bearer_of(workload.id, gang.fence)
    assert endpoint.deployment is not None
    return ReplicaRow.objects.create(
        deployment=endpoint.deployment,
        number=next(_numbers),
        gang_id=gang.id,
        state=ReplicaState.READY,
        ready_at=timezone.now(),
    )


def key(endpoint: Endpoint, **fields: Any) -> tuple[UUID, dict[str, str]]:
    """A key of the endpoint, and the headers that prove it."""
    secret = credentials.new_secret()
    row = Key.objects.create(
        **{
            "id": uuid7(),
            "endpoint": endpoint,
            "name": "test",
            "secret_sha256": credentials.sha256(secret),
            "expires_at": timezone.now() + timedelta(days=1),
            **fields,
        }
    )
    return row.id, {"Authorization": f"Bearer {credentials.text_of('dhk', row.id, secret)}"}
