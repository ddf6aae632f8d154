"""Plain builders for datasets that are ready, and for jobs."""

import hashlib
from typing import Any

from agents.protocol.results import Profile
from agents.protocol.specs import FileRef
from apps.artifacts import services as artifacts
from apps.artifacts.models import Artifact, Upload
from apps.common.actors import SYSTEM
from apps.common.ids import uuid7
from apps.datasets import services as datasets
from apps.datasets.models import DatasetVersion
from apps.jobs import services
from apps.jobs.models import Job, JobKind
from apps.projects.models import Project
from tests.apps.jobs.agent import store_bytes
from tests.apps.workloads.make import NOON
from tests.make import project

__all__ = [
    "artifact",
    "evaluate",
    "project",
    "published",
    "ready",
    "script",
    "train",
    "upload",
]


def upload(owner: Project, body: bytes, *, filename: str = "") -> Upload:
    """A finished upload: its bytes are really in the store."""
    row = artifacts.start_upload(
        project=owner, holder=uuid7(), filename=filename, size=len(body), digest="", at=NOON
    )
    store_bytes(row.id, body)
    artifacts.finish_upload(upload_id=row.id, at=NOON)
    row.refresh_from_db()
    return row


def artifact(owner: Project, body: bytes) -> Artifact:
    made = upload(owner, body).artifact
    assert made
    return made


def published(owner: Project, *, name: str = "digits", body: bytes = b"zip") -> DatasetVersion:
    """A dataset version that nobody has looked into yet."""
    artifact(owner, body)
    return datasets.publish_version(
        project=owner,
        dataset_name=name,
        files=[FileRef(path="digits.zip", digest=hashlib.sha256(body).hexdigest(), size=len(body))],
        user=None,
        actor=SYSTEM,
        at=NOON,
    )


def ready(
    owner: Project, *, name: str = "digits", kind: str = "images_by_class", body: bytes = b"zip"
) -> DatasetVersion:
    """A dataset version that may be trained on."""
    return datasets.complete_import(
        version_id=published(owner, name=name, body=body).id,
        profile=Profile(kind=kind, samples=10, unpack=True),
        thumbnails={},
        at=NOON,
    )


def train(owner: Project, **fields: Any) -> Job:
    config = {"recipe": "image_classification", "dataset": "digits"} | fields.pop("config", {})
    return _submit(owner, JobKind.TRAIN, config, **fields)


def script(owner: Project, **fields: Any) -> Job:
    config = {"entrypoint": "main.py"} | fields.pop("config", {})
    if "code" not in config:
        config["code"] = str(upload(owner, b"print(1)", filename="main.py").id)
    return _submit(owner, JobKind.SCRIPT, config, **fields)


def evaluate(owner: Project, **fields: Any) -> Job:
    config = {"model": "net", "dataset": "digits"} | fields.pop("config", {})
    return _submit(owner, JobKind.EVALUATE, config, **fields)


def _submit(owner: Project, kind: JobKind, config: dict[str, Any], **fields: Any) -> Job:
    given = {"name": "", "priority": 0, "max_retries": 0, "user": None, "actor": SYSTEM} | fields
    return services.submit_job(project=owner, kind=kind, config=config, at=NOON, **given)
