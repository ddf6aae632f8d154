"""What happened to an endpoint: of the audit and its rows, one list."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agents.protocol.base import Reason
from apps.audit import selectors as audit
from apps.common import reasons
from apps.serving.models import Endpoint, Replica

MOST_REPLICAS = 1000  # the newest of them are told of

# the sentences of an entry, each with what it needs; told where the entry has all of that
TOLD: dict[str, list[tuple[str, tuple[str, ...]]]] = {
    "endpoint.create": [("endpoint_was_made", ("model", "replicas"))],
    "endpoint.deploy": [("endpoint_was_deployed", ("number", "model"))],
    "endpoint.rollback": [("endpoint_was_rolled_back", ("number", "model"))],
    "endpoint.scale": [("endpoint_was_scaled", ("before", "replicas"))],
    "endpoint.limits": [
        ("endpoint_queue_was_set", ("max_queue",)),
        ("endpoint_time_was_set", ("timeout_seconds",)),
    ],
    "key.create": [("endpoint_key_was_made", ("name",))],
    "key.revoke": [("endpoint_key_was_revoked", ("name",))],
}


@dataclass(frozen=True)
class EndpointEvent:
    at: datetime
    what: Reason  # a code of the catalogue, and what its sentence needs
    actor: str | None = None


def events_of(endpoint: Endpoint) -> list[EndpointEvent]:
    """What is known to have happened to an endpoint, newest first."""
    told = [*_asked(endpoint), *_given_up(endpoint), *_of_replicas(endpoint)]
    return sorted(told, key=lambda event: event.at, reverse=True)


def shown(event: EndpointEvent) -> dict[str, Any]:
    """An event as the API's document has it, its sentences still to be rendered."""
    return {
        "at": event.at,
        "what": reasons.to_row(event.what),
        "actor": event.actor,
    }


def _asked(endpoint: Endpoint) -> Iterator[EndpointEvent]:
    """What somebody did."""
    keys = endpoint.keys.values_list("id", flat=True)
    for entry in audit.entries_about(endpoint.id, *keys):
        for code, needed in TOLD.get(entry.action, []):
            if all(name in entry.detail for name in needed):
                what = Reason(code=code, params={name: entry.detail[name] for name in needed})
                yield EndpointEvent(at=entry.created_at, what=what, actor=entry.actor_name)


def _given_up(endpoint: Endpoint) -> Iterator[EndpointEvent]:
    given_up = endpoint.deployments.exclude(given_up_at=None)
    for number, at, reason in given_up.values_list("number", "given_up_at", "reason"):
        assert at is not None
        what = Reason(code="deployment_was_given_up", params={"number": number, "why": reason})
        yield EndpointEvent(at=at, what=what)


def _of_replicas(endpoint: Endpoint) -> Iterator[EndpointEvent]:
    newest = Replica.objects.filter(deployment__endpoint=endpoint).order_by("-created_at")
    for replica in newest[:MOST_REPLICAS]:
        number = {"number": replica.number}
        yield EndpointEvent(replica.created_at, Reason(code="replica_was_started", params=number))
        if replica.ready_at:
            yield EndpointEvent(replica.ready_at, Reason(code="replica_was_ready", params=number))
        if replica.ended_at and replica.reason:
            why = {**number, "why": replica.reason}
            yield EndpointEvent(replica.ended_at, Reason(code="replica_has_ended", params=why))
        elif replica.ended_at:
            yield EndpointEvent(replica.ended_at, Reason(code="replica_is_over", params=number))
