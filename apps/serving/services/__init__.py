"""Everything that changes an endpoint, a deployment, a replica or a key.

Rows are locked in one order: the endpoint, then (inside `workloads`) gangs. Whatever changes what
is wanted also reconciles at once, in the same transaction; the sweep does so again.
"""

from apps.serving.services.endpoints import (
    DeploymentUnknown,
    EndpointNameTaken,
    NothingToReturnTo,
    VersionServed,
    create_endpoint,
    delete_endpoint,
    deploy,
    keep_while_served,
    roll_back,
    scale,
    set_limits,
)
from apps.serving.services.keys import (
    KeyLifetimeRefused,
    create_key,
    forget_spent_keys,
    note_key_uses,
    revoke_key,
)
from apps.serving.services.replicas import (
    note_probe,
    reconcile_endpoint,
    reconcile_endpoints,
    say_replica_moved,
)

__all__ = [
    "DeploymentUnknown",
    "EndpointNameTaken",
    "KeyLifetimeRefused",
    "NothingToReturnTo",
    "VersionServed",
    "create_endpoint",
    "create_key",
    "delete_endpoint",
    "deploy",
    "forget_spent_keys",
    "keep_while_served",
    "note_key_uses",
    "note_probe",
    "reconcile_endpoint",
    "reconcile_endpoints",
    "revoke_key",
    "roll_back",
    "say_replica_moved",
    "scale",
    "set_limits",
]
