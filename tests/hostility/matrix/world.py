"""Two organisations with one of everything each, and everybody who might ask for it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.cookies import SimpleCookie
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.test import Client
from django.utils import timezone

from agents.protocol.workloads import WorkloadState
from apps.accounts import services as accounts
from apps.accounts.models import Token, User
from apps.accounts.scopes import Scope
from apps.artifacts import services as artifacts
from apps.artifacts.models import Upload
from apps.common.actors import SYSTEM
from apps.fleet import services as fleet
from apps.fleet.models import Contact, Device, JoinToken, Node, Outbox
from apps.jobs.models import Job, Run
from apps.projects.models import Membership, Organisation, Project, Role
from apps.registry.models import Model
from apps.serving import services as serving
from apps.serving.models import Endpoint, Key, Replica
from apps.workloads import scheduling
from apps.workloads.models import Orphan, Workload
from tests import make
from tests.apps.fleet.hosts import Host, invite, invite_now
from tests.apps.jobs import make as jobs
from tests.apps.jobs.agent import Agent
from tests.apps.jobs.test_road import TRAINED, settled
from tests.apps.serving.make import endpoint as make_endpoint
from tests.hostility.matrix.declared import SAFE, WHO, Who

S = WorkloadState
CANARY = "canary"  # in every name of the other tenant's things: no answer to ours may show it


class Machine:
    """A node that joined with a key of its own, and asks with a bearer."""

    def __init__(self, name: str) -> None:
        now = timezone.now()
        self._host = Host()
        self.id = fleet.join(request=self._host.request(invite_now(), name=name), at=now).node
        Node.objects.filter(pk=self.id).update(contact=Contact.FRESH.value, last_contact_at=now)
        self.bearer = self.bearer_of(now)

    def bearer_of(self, at: Any) -> str:
        nonce = fleet.challenge(node_id=self.id, at=at)
        return fleet.issue_node_token(request=self._host.answer(self.id, nonce), at=at).token

    @property
    def row(self) -> Node:
        return Node.objects.get(pk=self.id)


@dataclass
class Tenant:
    """A project in an organisation of its own, and what lives in it."""

    project: Project
    owner: User
    dataset: str
    model: str
    job: Job  # over, with a log, points and a model version
    waiting: Job
    run: Run  # of `running`, on the node
    running: Job
    workload: Workload  # of `run`
    over: Workload  # of `job`
    endpoint: Endpoint
    replica: Replica
    key: Key
    key_text: str
    upload: Upload  # finished, of nobody who asks
    dataset_id: UUID
    dataset_version: UUID
    model_id: UUID
    model_version: UUID


def tenant(name: str, machine: Machine) -> Tenant:
    now = timezone.now()
    organisation = Organisation.objects.create(slug=f"{name}-org", name=f"{name} org")
    owner = make.user(f"{name}-owner")
    project = make.project(f"{name}-project", owner=owner, organisation=organisation)
    data = jobs.ready(project, name=f"{name}-data", body=name.encode())

    def train(title: str) -> Job:
        config = {"dataset": f"{name}-data", "model": f"{name}-net"}
        return jobs.train(project, name=f"{name}-{title}", config=config, user=owner)

    job = train("done")
    agent = _started(machine, now)
    over = Workload.objects.get(gang__owner_id=job.runs.get().id)
    agent.write_log(f"{name} wrote this\n".encode())
    agent.write_points(("loss", 1, 0.5))
    agent.succeed(TRAINED | {"signature.json": _served()})
    settled(job)
    over.refresh_from_db()

    running = train("running")
    _started(machine, now)
    workload = Workload.objects.get(gang__owner_id=running.runs.get().id)

    endpoint = make_endpoint(
        project, name=f"{name}-door", model=f"{name}-net", at=now, replicas=1, user=owner
    )
    serving.reconcile_endpoints(at=now)
    replica = Replica.objects.get(deployment__endpoint=endpoint)
    _started(machine, now)
    key, text = serving.create_key(
        endpoint_id=endpoint.id,
        name=f"{name}-key",
        expires_at=now + timedelta(days=9),
        requests_per_minute=None,
        user=owner,
        actor=owner.actor,
        at=now,
    )
    waiting = train("waiting")
    model = Model.objects.get(project=project)
    return Tenant(
        project=project,
        owner=owner,
        dataset=f"{name}-data",
        model=f"{name}-net",
        job=job,
        waiting=waiting,
        run=running.runs.get(),
        running=running,
        workload=workload,
        over=over,
        endpoint=endpoint,
        replica=replica,
        key=key,
        key_text=text,
        upload=jobs.upload(project, f"{name} bytes".encode(), filename=f"{name}.bin"),
        dataset_id=data.dataset_id,
        dataset_version=data.id,
        model_id=model.id,
        model_version=model.versions.get().id,
    )


def _started(machine: Machine, at: datetime) -> Agent:
    """The node runs what it was ordered last."""
    scheduling.schedule_waiting(at=at)
    agent = Agent(machine.row, at)
    agent.order = Outbox.objects.filter(node=agent.node, op="start").order_by("-id")[0]
    return agent.ask().tell(S.RUNNING)


def _served() -> dict[str, Any]:
    signature: Any = TRAINED["signature.json"]
    return signature | {"recipe": "image_classification", "labels": list("0123456789")}


@dataclass(frozen=True)
class Answer:
    status: int
    kind: str  # its Content-Type
    text: str

    @property
    def code(self) -> str:
        """Of a problem document; empty for anything else."""
        is_problem = self.kind == "application/problem+json" and self.text
        return str(json.loads(self.text)["code"]) if is_problem else ""

    def __str__(self) -> str:
        return f"{self.status} {self.code or self.text[:200]}".rstrip()


class World:
    """`ours` is what is asked for; `theirs` is the other organisation's."""

    def __init__(self) -> None:
        now = timezone.now()
        self.node, self.other_node = Machine("ours-node"), Machine("other-node")
        # placement takes the only node that takes work: each tenant's things are on its own
        Node.objects.filter(pk=self.other_node.id).update(cordoned_at=now)
        self.ours = tenant("ours", self.node)
        Node.objects.filter(pk=self.other_node.id).update(cordoned_at=None)
        Node.objects.filter(pk=self.node.id).update(cordoned_at=now)
        self.theirs = tenant(CANARY, self.other_node)
        Node.objects.filter(pk=self.node.id).update(cordoned_at=None)
        self.gone_node = Machine("gone-node")
        gone_bearer = self.gone_node.bearer
        fleet.remove(node_id=self.gone_node.id, actor=SYSTEM, at=now)

        self.bystander = make.member(self.ours.project, make.user("bystander"), Role.VIEWER)
        self.outsider = make.user("outsider")
        make.user("by-password", password=make.PASSWORD)
        invite()
        self.join_token = JoinToken.objects.order_by("-id")[0]
        self.device = Device.objects.create(
            node_id=self.node.id, uuid="GPU-0", index=0, name="a GPU", memory_bytes=1
        )
        self.orphan = Orphan.objects.create(
            node_id=self.node.id, workload_id=uuid4(), fence=1, state="running"
        )
        self.people: dict[str, User] = {}
        self._never: dict[str, str] = {}
        self.clients: dict[str, Client] = {}
        self.tokens: dict[str, UUID] = {}
        self.uploads: dict[str, UUID] = {}
        self.headers: dict[str, dict[str, str]] = {}
        self.queries: dict[str, str] = {}

        for rank in ("viewer", "member", "maintainer", "owner"):
            person = make.member(self.ours.project, make.user(rank), Role(rank))
            self._token(rank, person, "read write")
        owner = self.people["owner"]
        self._token("owner, to read", owner, "read")
        for name in ("owner in a browser", "owner in a foreign page"):
            self._browser(name, owner)
        self._token("stranger", self.theirs.owner, "read write")
        former = make.member(self.ours.project, make.user("former"), Role.OWNER)
        self._token("former owner", former, "read write")
        Membership.objects.filter(user=former).delete()
        operator = make.user("operator", is_operator=True)
        self._token("operator", operator, "read write admin")
        self._token("operator, to write", operator, "read write")

        self._bearer("token altered", self._altered(self.headers["owner"]))
        self._bearer("token revoked", self._ended(owner, revoked_at=now))
        self._bearer("token expired", self._ended(owner, expires_at=now - timedelta(hours=1)))
        shut_out = make.member(self.ours.project, make.user("shut-out"), Role.OWNER)
        self._bearer("token of a person shut out", self._text(shut_out, "read write"))
        User.objects.filter(pk=shut_out.pk).update(is_active=False)
        self.queries["token in the query"] = self._text(owner, "read write")
        self._bearer("endpoint key", self.ours.key_text)
        self._bearer("run", self._of_run(self.ours.run, self.ours.project))
        self._bearer("run of another project", self._of_run(self.theirs.run, self.theirs.project))
        self._bearer("run over", self._of_run(self.ours.job.runs.get(), self.ours.project))
        accounts.revoke_run_tokens(run_id=self.ours.job.runs.get().id, at=now)
        self._bearer("node", self.node.bearer)
        self._bearer("other node", self.other_node.bearer)
        self._bearer("node removed", gone_bearer)
        self._bearer("node's bearer expired", self.node.bearer_of(now - timedelta(hours=2)))

        # every principal who may have uploads has one of their own
        holders = {name: person.id for name, person in self.people.items()}
        holders |= {"run": self.ours.run.id, "run of another project": self.theirs.run.id}
        for name, holder in holders.items():
            self.uploads[name] = self._upload(holder)
        self._text(self.bystander, "read write")
        self.token_of_another = Token.objects.order_by("-id")[0].id
        self.another_upload = self._upload(uuid4())
        Token.objects.update(last_used_at=now)  # what is noted once a minute is noted
        for name in WHO:
            self.clients.setdefault(name, Client(enforce_csrf_checks=True))

    # --- asking ----------------------------------------------------------------------------------

    def ask(self, who: Who, method: str, path: str, body: Any = None) -> Answer:
        """One request, as they would send it; bodies are JSON. Nothing of it is left behind."""
        if query := self.queries.get(who.name):
            path += f"{'&' if '?' in path else '?'}token={query}&access_token={query}"
        given: dict[str, Any] = {"headers": self.headers.get(who.name, {})}
        if body is not None:
            given |= {"data": body, "content_type": "application/json"}
        client = self.clients[who.name]
        cookies = client.cookies.output(header="", sep=";") if client.cookies else ""
        with self._undone() if method not in SAFE else nullcontext():
            response: Any = getattr(client, method.lower())(path, **given)
            whole = b"".join(response) if response.streaming else response.content
        if client.cookies:
            client.cookies = SimpleCookie(cookies)
        kind = response.headers.get("Content-Type", "")
        return Answer(response.status_code, kind, whole.decode("utf-8", "replace"))

    @contextmanager
    def _undone(self) -> Iterator[None]:
        with transaction.atomic():
            yield
            transaction.set_rollback(True)

    def never_there(self, who: Who) -> str:
        """What somebody is told of a project that never was."""
        if who.name not in self._never:
            self._never[who.name] = self.ask(who, "GET", "/api/v1/projects/never-was").text
        return self._never[who.name]

    def own(self, noun: str, who: Who) -> str:
        """What stands for a noun of ours in an address that somebody asks for."""
        ours = self.ours
        things: dict[str, Any] = {
            "slug": ours.project.slug,
            "sign_in": "none",
            "token": self.tokens.get(who.name) or uuid4(),
            "user": self.outsider.id,
            "join_token": self.join_token.id,
            "node": self.node.id,
            "device": self.device.id,
            "orphan": self.orphan.id,
            "member": self.bystander.id,
            "upload": self.uploads.get(who.name) or self.another_upload,
            "dataset": ours.dataset,
            "example": "digits",
            "model": ours.model,
            "number": 1,
            "job": ours.job.id,
            "endpoint": ours.endpoint.name,
            "replica": ours.replica.id,
            "key": ours.key.id,
            "workload": ours.workload.id,
        }
        return str(things[noun])

    def foreign(self, noun: str) -> list[str]:
        """What stands for the same noun of the other organisation, by name and by identifier."""
        theirs = self.theirs
        things: dict[str, list[Any]] = {
            "slug": [theirs.project.slug],
            "token": [self.token_of_another],
            "member": [theirs.owner.id],
            "upload": [theirs.upload.id, self.another_upload],
            "dataset": [theirs.dataset, theirs.dataset_id, theirs.dataset_version],
            "model": [theirs.model, theirs.model_id, theirs.model_version],
            "job": [theirs.job.id],
            "endpoint": [theirs.endpoint.name, theirs.endpoint.id],
            "replica": [theirs.replica.id],
            "key": [theirs.key.id],
            "workload": [theirs.workload.id],
        }
        return [str(thing) for thing in things[noun]]

    # --- who asks --------------------------------------------------------------------------------

    def _bearer(self, name: str, text: str) -> None:
        self.headers[name] = {"Authorization": f"Bearer {text}"}

    def _token(self, name: str, person: User, scopes: str) -> None:
        self.people[name] = person
        self._bearer(name, self._text(person, scopes))
        self.tokens[name] = Token.objects.order_by("-id")[0].id

    def _text(self, person: User, scopes: str) -> str:
        wanted = [Scope(scope) for scope in scopes.split()]
        return make.bearer(person, *wanted)["Authorization"].removeprefix("Bearer ")

    def _ended(self, person: User, **fields: Any) -> str:
        text = self._text(person, "read write")
        Token.objects.filter(pk=Token.objects.order_by("-id")[0].pk).update(**fields)
        return text

    def _altered(self, headers: dict[str, str]) -> str:
        text = headers["Authorization"].removeprefix("Bearer ")
        return text[:-1] + ("A" if text[-1] != "A" else "B")

    def _of_run(self, run: Run, project: Project) -> str:
        headers = make.run_bearer(project, run_id=run.id)
        return headers["Authorization"].removeprefix("Bearer ")

    def _browser(self, name: str, person: User) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(person)
        self.people[name] = person
        self.clients[name] = client
        self.tokens[name] = self.tokens["owner"]
        if WHO[name].csrf:
            client.get("/api/v1/session")  # as the console does first: the answer has the cookie
            self.headers[name] = {"X-CSRFToken": client.cookies["csrftoken"].value}

    def _upload(self, holder: UUID) -> UUID:
        return artifacts.start_upload(
            project=self.ours.project,
            holder=holder,
            filename="part.bin",
            size=3,
            digest="",
            at=timezone.now(),
        ).id
