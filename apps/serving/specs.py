"""What can be served, and what a node is told of it."""

from collections.abc import Mapping
from typing import Any

from agents.protocol.base import Resources
from agents.protocol.recipes import all_manifests
from agents.protocol.specs import MODEL_INPUT, Input, ServeSpec, WorkloadSpec
from apps.common.errors import DomainError
from apps.projects.models import Project
from apps.registry import selectors as registry
from apps.registry.models import ModelVersion
from apps.serving.models import Deployment, Endpoint

GRACE_SECONDS = 30.0  # to answer what it has


class VersionNotServable(DomainError):
    """The version was made by no recipe that can serve."""

    status = 422


def servable(project: Project, ref: str) -> ModelVersion:
    """The version that is meant; raises unless it is there and can be served."""
    version = registry.version(project, ref)
    default_resources(version)
    return version


def default_resources(version: ModelVersion) -> Resources:
    """What one replica takes if nobody says otherwise, as the recipe has it."""
    manifest = all_manifests().get(version.signature.get("recipe") or "")
    if manifest is None or manifest.serving is None:
        raise VersionNotServable(model=version.model.name, number=version.number)
    return manifest.serving


def resources_row(default: Resources, given: Mapping[str, Any]) -> dict[str, Any]:
    """The default with what is given in its place, as a deployment keeps it."""
    return {
        "cpu_millis": default.cpu_millis,
        "memory_bytes": default.memory_bytes,
        "device_count": default.device_count,
        "device_kind": default.device_kind,
        "device_memory_bytes": default.device_memory_bytes,
    } | dict(given)


def workload_spec(endpoint: Endpoint, deployment: Deployment) -> WorkloadSpec:
    """What the node gets, the same for every replica of a deployment."""
    return WorkloadSpec(
        name=endpoint.name,
        payload=ServeSpec(max_batch=deployment.max_batch, max_queue=endpoint.max_queue),
        resources=Resources(**deployment.resources),
        inputs=[Input(name=MODEL_INPUT, files=registry.files_of(deployment.version))],
        grace_seconds=GRACE_SECONDS,
    )
