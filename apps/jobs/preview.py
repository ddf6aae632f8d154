"""A job that nobody has submitted: what it would be, and how else to ask for it. Writes nothing."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import yaml

from agents.protocol.base import Resources
from apps.jobs import specs
from apps.jobs.models import JobKind
from apps.projects.models import Project
from apps.workloads import selectors as workloads


@dataclass(frozen=True)
class Preview:
    name: str
    config: dict[str, Any]
    resources: Resources
    forecast: workloads.Forecast


def preview(
    *,
    project: Project,
    kind: JobKind,
    name: str,
    priority: int,
    config: Mapping[str, Any],
    at: datetime,
) -> Preview:
    """What a submission would become; raises ``InputRefused`` as the submission would."""
    prepared = specs.read_config(project, kind, {**config, "name": name})
    resources = Resources(**prepared.config["resources"])
    return Preview(
        name=(name or prepared.name)[:200],
        config=prepared.config,
        resources=resources,
        forecast=workloads.forecast(resources, priority=priority, at=at),
    )


def job_file(given: Mapping[str, Any]) -> str:
    """The submission as the file that the command line takes."""
    return yaml.safe_dump(_plain(given), sort_keys=False, allow_unicode=True)


def command(project: Project) -> str:
    """The command that submits the job file."""
    return f"datahall jobs submit -f job.yaml --project {shlex.quote(project.slug)}"


def curl(project: Project, given: Mapping[str, Any], *, url: str) -> str:
    """The request itself, as a shell would send it."""
    body = json.dumps(_plain(given), ensure_ascii=False)
    address = shlex.quote(f"{url}/api/v1/projects/{project.slug}/jobs")
    return (
        f"curl -X POST {address} \\\n"
        '  -H "Authorization: Bearer $DATAHALL_TOKEN" \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(body)}"
    )


def _plain(given: Mapping[str, Any]) -> dict[str, Any]:
    """Without what was left empty: a file should say what somebody chose."""
    return {name: value for name, value in given.items() if value not in (None, "", [], {})}
