"""A body that each write takes, so that a refusal is never for want of a good one."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from tests import make
from tests.hostility.matrix.world import World

ABC = {"digest": hashlib.sha256(b"abc").hexdigest(), "size": 3}
FENCE = "fence"
PROJECT = "api/v1/projects/<slug:slug>/"

Body = Mapping[str, Any] | None


def train(world: World) -> dict[str, Any]:
    return {
        "kind": "train",
        "recipe": "image_classification",
        "dataset": world.ours.dataset,
        "model": "made",
    }


def script(world: World) -> dict[str, Any]:
    return {
        "kind": "script",
        "code": str(world.ours.upload.id),
        "entrypoint": "main.py",
        "inputs": [{"dataset": world.ours.dataset}],
    }


def evaluate(world: World) -> dict[str, Any]:
    return {"kind": "evaluate", "model": world.ours.model, "dataset": world.ours.dataset}


def _fence(world: World) -> dict[str, Any]:
    return {FENCE: world.ours.workload.gang.fence}


# None: the write takes no body. Every write of the table is here.
BODIES: dict[tuple[str, str], Callable[[World], Body]] = {
    ("POST", "api/v1/session"): lambda w: {"username": "by-password", "password": make.PASSWORD},
    ("PATCH", "api/v1/session"): lambda w: {"language": "en"},
    ("DELETE", "api/v1/session"): lambda w: None,
    ("PUT", "api/v1/session/password"): lambda w: {"password": "another fine battery"},
    ("POST", "api/v1/tokens"): lambda w: {"name": "t", "scopes": ["read"], "expires_in_days": 1},
    ("DELETE", "api/v1/tokens/<uuid:id>"): lambda w: None,
    ("POST", "api/v1/users"): lambda w: {"username": "newcomer"},
    ("PATCH", "api/v1/users/<uuid:id>"): lambda w: {"is_operator": True},
    ("POST", "api/v1/users/<uuid:id>/sign-in-link"): lambda w: None,
    ("POST", "api/v1/nodes/join-tokens"): lambda w: None,
    ("DELETE", "api/v1/nodes/<uuid:pk>"): lambda w: None,
    ("POST", "api/v1/nodes/<uuid:pk>/cordon"): lambda w: {"reason": "new fans"},
    ("POST", "api/v1/nodes/<uuid:pk>/uncordon"): lambda w: None,
    ("POST", "api/v1/nodes/<uuid:pk>/devices/<uuid:device_id>/clear"): lambda w: None,
    ("POST", "api/v1/audit/chain/verify"): lambda w: None,
    ("POST", "api/v1/restore/release"): lambda w: None,
    ("POST", "api/v1/restore/orphans/<uuid:id>/stop"): lambda w: None,
    ("POST", "api/v1/projects"): lambda w: {"slug": "brand-new", "name": "Brand new"},
    ("POST", PROJECT + "members"): lambda w: {"username": "outsider", "role": "viewer"},
    ("PATCH", PROJECT + "members/<uuid:user_id>"): lambda w: {"role": "member"},
    ("DELETE", PROJECT + "members/<uuid:user_id>"): lambda w: None,
    ("POST", PROJECT + "uploads"): lambda w: {"filename": "a.bin", "size": 3},
    ("POST", PROJECT + "uploads/<uuid:id>/finish"): lambda w: None,
    ("POST", PROJECT + "datasets"): lambda w: {
        "name": "fresh",
        "description": "",
        "files": [{"upload": str(w.ours.upload.id), "path": "a.bin"}],
    },
    ("POST", PROJECT + "examples/<str:name>"): lambda w: None,
    ("PATCH", PROJECT + "models/<str:ref>"): lambda w: {"description": "for digits"},
    ("POST", PROJECT + "jobs"): train,
    ("POST", PROJECT + "jobs/preview"): evaluate,
    ("POST", PROJECT + "jobs/stop"): lambda w: {"ids": [str(w.ours.waiting.id)]},
    ("POST", PROJECT + "jobs/<uuid:id>/stop"): lambda w: None,
    ("POST", PROJECT + "endpoints"): lambda w: {"name": "second", "model": w.ours.model},
    ("PATCH", PROJECT + "endpoints/<str:ref>"): lambda w: {"max_queue": 7},
    ("DELETE", PROJECT + "endpoints/<str:ref>"): lambda w: None,
    ("POST", PROJECT + "endpoints/<str:ref>/deploy"): lambda w: {"model": w.ours.model},
    ("POST", PROJECT + "endpoints/<str:ref>/rollback"): lambda w: {"deployment": 1},
    ("POST", PROJECT + "endpoints/<str:ref>/scale"): lambda w: {"replicas": 2},
    ("POST", PROJECT + "endpoints/<str:ref>/keys"): lambda w: {"name": "k", "expires_in_days": 1},
    ("DELETE", PROJECT + "endpoints/<str:ref>/keys/<uuid:id>"): lambda w: None,
    ("POST", "agent/v1/join"): lambda w: {"token": "dhj_no", "name": "n", "public_key": ""},
    ("POST", "agent/v1/challenge"): lambda w: {"node": str(w.node.id)},
    ("POST", "agent/v1/token"): lambda w: {"node": str(w.node.id), "nonce": "", "signature": ""},
    ("POST", "agent/v1/workloads/<uuid:workload_id>/start"): lambda w: _fence(w) | {"nonce": "n"},
    ("POST", "agent/v1/workloads/<uuid:workload_id>/outputs"): lambda w: _fence(w) | ABC,
    ("POST", "agent/v1/workloads/<uuid:workload_id>/outputs/finish"): lambda w: (
        _fence(w) | {"digest": w.ours.upload.artifact.digest}
    ),
}
# what a query must have for an answer
QUERIES = {PROJECT + "search": "?q=a"}
