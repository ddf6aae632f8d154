"""Who may do what, said by hand: the one thing that the matrix compares the product with.

A route of Django's URLs that is not here fails the build, as does a method that the product has and
the table has not, or the other way round. How to add one: docs/subsystems/authorisation.md.
"""

from dataclasses import dataclass
from functools import cache

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
SAFE = ("GET", "HEAD", "OPTIONS")

# What a method takes. The words of projects are ranks: each may do what the ones before it may.
RANKS = ("viewer", "member", "maintainer", "owner")
NEEDS = {
    "open": "anybody, known or not",
    "page": "anybody, to read it; its other methods are refused whoever asks",
    "known": "any principal, a run too",
    "person": "any person, no run",
    "operator": "an operator of the installation, by a token only with the scope `admin`",
    "viewer": "of the project",
    "member": "of the project, or one of its runs",
    "member+person": "a member of the project, no run",
    "maintainer": "of the project",
    "owner": "of the project",
    "join": "a node that is not known yet: what it says proves it, or not",
    "node": "a node's bearer",
}

# path after the host, then method and what it takes; HEAD goes with GET, OPTIONS nobody has
TABLE = """
healthz                                                         GET page
readyz                                                          GET page
sign-in/<str:secret>                                            GET page
api/v1/session                 GET person  POST open  PATCH person  DELETE known
api/v1/session/password                                         PUT person
api/v1/tokens                                                   GET person  POST person
api/v1/tokens/<uuid:id>                                         DELETE person
api/v1/users                                                    GET operator  POST operator
api/v1/users/<uuid:id>                                          PATCH operator
api/v1/users/<uuid:id>/sign-in-link                             POST operator
api/v1/recipes                                                  GET person
api/v1/schema/                                                  GET known
api/v1/docs/                                                    GET known

api/v1/nodes                                                    GET person
api/v1/nodes/join-tokens                                        GET operator  POST operator
api/v1/nodes/join-tokens/<uuid:pk>                              GET operator
api/v1/nodes/<uuid:pk>                                          GET person  DELETE operator
api/v1/nodes/<uuid:pk>/cordon                                   POST operator
api/v1/nodes/<uuid:pk>/uncordon                                 POST operator
api/v1/nodes/<uuid:node_id>/events                              GET person
api/v1/nodes/<uuid:node_id>/series                              GET person
api/v1/nodes/<uuid:node_id>/workloads                           GET person
api/v1/nodes/<uuid:pk>/devices/<uuid:device_id>/clear           POST operator
api/v1/fleet/map                                                GET person

api/v1/audit/chain                                              GET operator
api/v1/audit/chain/records                                      GET operator
api/v1/audit/chain/verify                                       POST operator
api/v1/storage                                                  GET operator
api/v1/restore                                                  GET operator
api/v1/restore/release                                          POST operator
api/v1/restore/orphans                                          GET operator
api/v1/restore/orphans/<uuid:id>/stop                           POST operator

api/v1/projects                                                 GET person  POST person
api/v1/projects/<slug:slug>                                     GET viewer
api/v1/projects/<slug:slug>/members                             GET viewer  POST maintainer
api/v1/projects/<slug:slug>/members/<uuid:user_id>              PATCH maintainer  DELETE maintainer
api/v1/projects/<slug:slug>/attention                           GET viewer
api/v1/projects/<slug:slug>/search                              GET viewer
api/v1/projects/<slug:slug>/activity                            GET viewer
api/v1/projects/<slug:slug>/audit                               GET maintainer

api/v1/projects/<slug:slug>/uploads                             POST member
api/v1/projects/<slug:slug>/uploads/<uuid:id>                   GET member
api/v1/projects/<slug:slug>/uploads/<uuid:id>/finish            POST member
api/v1/projects/<slug:slug>/datasets                            GET viewer  POST member
api/v1/projects/<slug:slug>/examples/<str:name>                 POST member
api/v1/projects/<slug:slug>/datasets/<str:ref>                  GET viewer
api/v1/projects/<slug:slug>/datasets/<str:ref>/versions/<int:number>           GET viewer
api/v1/projects/<slug:slug>/datasets/<str:ref>/versions/<int:number>/used-by   GET viewer
api/v1/projects/<slug:slug>/models                              GET viewer
api/v1/projects/<slug:slug>/models/<str:ref>                    GET viewer  PATCH member
api/v1/projects/<slug:slug>/models/<str:ref>/versions/<int:number>             GET viewer
api/v1/projects/<slug:slug>/models/<str:ref>/versions/<int:number>/used-by     GET viewer
api/v1/projects/<slug:slug>/models/<str:ref>/lineage            GET viewer

api/v1/projects/<slug:slug>/jobs                                GET viewer  POST member
api/v1/projects/<slug:slug>/jobs/preview                        POST member
api/v1/projects/<slug:slug>/jobs/stop                           POST member
api/v1/projects/<slug:slug>/jobs/<uuid:id>                      GET viewer
api/v1/projects/<slug:slug>/jobs/<uuid:id>/stop                 POST member
api/v1/projects/<slug:slug>/jobs/<uuid:id>/events               GET viewer
api/v1/projects/<slug:slug>/jobs/<uuid:id>/runs                 GET viewer
api/v1/projects/<slug:slug>/jobs/<uuid:id>/log                  GET viewer
api/v1/projects/<slug:slug>/jobs/<uuid:id>/log/raw              GET viewer
api/v1/projects/<slug:slug>/jobs/<uuid:id>/metrics              GET viewer
api/v1/projects/<slug:slug>/jobs/<uuid:id>/outputs              GET viewer

api/v1/projects/<slug:slug>/endpoints                           GET viewer  POST member
api/v1/projects/<slug:slug>/endpoints/<str:ref>    GET viewer  PATCH member  DELETE maintainer
api/v1/projects/<slug:slug>/endpoints/<str:ref>/deploy          POST member
api/v1/projects/<slug:slug>/endpoints/<str:ref>/rollback        POST member
api/v1/projects/<slug:slug>/endpoints/<str:ref>/scale           POST member
api/v1/projects/<slug:slug>/endpoints/<str:ref>/events          GET viewer
api/v1/projects/<slug:slug>/endpoints/<str:ref>/deployments     GET viewer
api/v1/projects/<slug:slug>/endpoints/<str:ref>/replicas        GET viewer
api/v1/projects/<slug:slug>/endpoints/<str:ref>/replicas/<uuid:id>/log         GET viewer
api/v1/projects/<slug:slug>/endpoints/<str:ref>/traffic         GET viewer
api/v1/projects/<slug:slug>/endpoints/<str:ref>/keys            GET viewer  POST member+person
api/v1/projects/<slug:slug>/endpoints/<str:ref>/keys/<uuid:id>  DELETE member

agent/v1/join                                                   POST join
agent/v1/challenge                                              POST join
agent/v1/token                                                  POST join
agent/v1/desired                                                GET node
agent/v1/workloads/<uuid:workload_id>/spec                      GET node
agent/v1/workloads/<uuid:workload_id>/start                     POST node
agent/v1/workloads/<uuid:workload_id>/outputs                   POST node
agent/v1/workloads/<uuid:workload_id>/outputs/finish            POST node
"""

# what answers where no route does: an unknown path of the API, and the console's page
CATCH_ALL = {"^(?:api|agent|live|transfer|static|assets)(?:/|$)", ""}

# which of a tenant's things stands in an address after this segment
NOUNS = {
    "sign-in": "sign_in",
    "tokens": "token",
    "users": "user",
    "join-tokens": "join_token",
    "nodes": "node",
    "devices": "device",
    "orphans": "orphan",
    "projects": "slug",
    "members": "member",
    "uploads": "upload",
    "datasets": "dataset",
    "examples": "example",
    "models": "model",
    "versions": "number",
    "jobs": "job",
    "endpoints": "endpoint",
    "replicas": "replica",
    "keys": "key",
    "workloads": "workload",
}
# of these there is one for the whole installation, or it is no thing of a tenant
SHARED = {
    *("slug", "sign_in", "user", "join_token", "node", "device", "orphan"),
    *("example", "number", "workload"),
}


@dataclass(frozen=True)
class Who:
    """Somebody who asks, and what they have for it."""

    name: str
    refused: str = ""  # the code of the 401 that they meet at every door
    kind: str = "person"  # or "run", "node"
    rank: str = ""  # in the project that is asked for; "": a stranger to it
    operator: bool = False
    scopes: str = "read write admin"
    csrf: bool = True  # a browser's write comes with the proof that the page is ours

    def at_least(self, rank: str) -> bool:
        return bool(self.rank) and RANKS.index(self.rank) >= RANKS.index(rank)


WHO = {
    who.name: who
    for who in (
        Who("anonymous", refused="not_signed_in"),
        Who("token altered", refused="token_unknown"),
        Who("token revoked", refused="token_revoked"),
        Who("token expired", refused="token_expired"),
        Who("token of a person shut out", refused="token_revoked"),
        Who("token in the query", refused="not_signed_in"),
        Who("endpoint key", refused="token_unknown"),
        Who("run over", refused="token_revoked"),
        Who("stranger", scopes="read write"),
        Who("former owner", scopes="read write"),
        Who("viewer", rank="viewer", scopes="read write"),
        Who("member", rank="member", scopes="read write"),
        Who("maintainer", rank="maintainer", scopes="read write"),
        Who("owner", rank="owner", scopes="read write"),
        Who("owner, to read", rank="owner", scopes="read"),
        Who("owner in a browser", rank="owner"),
        Who("owner in a foreign page", rank="owner", csrf=False),
        Who("operator", operator=True),
        Who("operator, to write", operator=True, scopes="read write"),
        Who("run", kind="run", rank="member", scopes="read write"),
        Who("run of another project", kind="run", scopes="read write"),
        Who("node", kind="node", refused="token_unknown"),
        Who("other node", kind="node", refused="token_unknown"),
        Who("node removed", refused="token_unknown"),
        Who("node's bearer expired", refused="token_unknown"),
    )
}


@cache
def needs() -> dict[str, dict[str, str]]:
    """Path to method to what it takes."""
    table: dict[str, dict[str, str]] = {}
    for line in filter(None, map(str.strip, TABLE.splitlines())):
        path, *pairs = line.split()
        assert path not in table, f"{path} is declared twice"
        table[path] = dict(zip(pairs[::2], pairs[1::2], strict=True))
        assert set(table[path].values()) <= set(NEEDS), f"{path}: {table[path]}"
        if "GET" in table[path] and path != "sign-in/<str:secret>":
            table[path]["HEAD"] = table[path]["GET"]
    return table


def outcome(path: str, method: str, who: Who) -> str:
    """What a cell must answer.

    `allowed`: got past authorisation; `gone`: the very bytes of what never was there; `fenced`:
    what a node hears of a workload that is not its own; `no verb`: not by this method, whoever
    asks; else a status and a code.
    """
    need = needs()[path].get(method)
    if path.startswith("agent/"):
        return _outcome_of_node(path, need, who)
    if need in ("open", "page"):
        return "allowed"
    if "page" in needs()[path].values():
        return "no verb"
    if who.refused:
        return f"401 {who.refused}"
    if not who.csrf and method not in SAFE:
        return "403 csrf_refused"
    if need is None:
        return "405 method_not_allowed"
    scope = "read" if method in SAFE else "write"
    if scope not in who.scopes.split() and need != "known":
        return "403 scope_needed"
    match need:
        case "known":
            return "allowed"
        case "person" | "operator" if who.kind == "run":
            return "403 person_needed"
        case "person":
            return "allowed"
        case "operator" if not who.operator:
            return "403 operator_needed"
        case "operator":
            return "allowed" if "admin" in who.scopes.split() else "403 scope_needed"
        case _:
            rank, _, only = need.partition("+")
            if not who.rank:
                return "gone"
            if not who.at_least(rank):
                return "403 role_needed"
            return "403 person_needed" if only == "person" and who.kind == "run" else "allowed"


def _outcome_of_node(path: str, need: str | None, who: Who) -> str:
    joins = "join" in needs()[path].values()
    if not joins and who.kind != "node":
        return "401 node_bearer_refused"
    if need is None:
        return "405 method_not_allowed"
    return "fenced" if "workload_id" in path and who.name != "node" else "allowed"
