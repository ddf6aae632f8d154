"""Who can make a node do something: only the control plane, whatever the broker holds."""

import base64
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import redis
from celery import Celery
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from agents.protocol.envelope import TASK_NAME, Order, queue_of, seal
from tests.flows.conftest import Installation, wait_for

pytestmark = [pytest.mark.xdist_group("installation"), pytest.mark.timeout(600)]

WAITS = """
import pathlib, sys, time
pathlib.Path(sys.argv[1], "started").touch()
while not pathlib.Path(sys.argv[1], "go").exists():
    time.sleep(0.02)
"""

# what a worker of stock Celery dies of or chokes on, and some more
GARBAGE = [
    b"5",
    b"null",
    b"[]",
    b"not json",
    b"\xff\xfe",
    b'{"body": "!", "headers": null, "properties": {}}',
    json.dumps(
        {
            "body": base64.b64encode(b"5").decode(),
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": {"task": TASK_NAME, "id": "1"},
            "properties": {"body_encoding": "base64", "delivery_tag": "1", "delivery_info": {}},
        }
    ).encode(),
    b"[" * 100_000,
]


class Broker:
    """The installation's broker in a hostile hand: everything but the signing key."""

    def __init__(self, installation: Installation) -> None:
        chosen = json.loads((installation.state / "embedded.json").read_text())
        url = f"redis://:{chosen['valkey_password']}@127.0.0.1:{chosen['valkey_port']}/0"
        self._redis = redis.Redis.from_url(url)
        self._celery = Celery(broker=url, set_as_current=False)
        self.node = UUID(installation.node()["id"])

    def send(self, envelope: str) -> None:
        self._celery.send_task(TASK_NAME, args=[envelope], queue=queue_of(self.node))

    def throw(self, message: bytes) -> None:
        self._redis.lpush(queue_of(self.node), message)

    def is_drained(self) -> bool:
        return self._redis.llen(queue_of(self.node)) == 0


@pytest.fixture
def broker(installation: Installation) -> Broker:
    return Broker(installation)


@pytest.fixture
def signing_key(installation: Installation) -> Ed25519PrivateKey:
    key = load_pem_private_key((installation.state / "signing.key").read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    return key


def genuine(installation: Installation, job: str) -> str:
    """The envelope that started a job, as a hostile broker would have kept it."""
    chosen = json.loads((installation.state / "embedded.json").read_text())
    workload = installation.job(job)["run"]["workload"]
    with psycopg.connect(
        host="127.0.0.1",
        port=chosen["postgres_port"],
        user="datahall",
        password=chosen["postgres_password"],
        dbname="datahall",
    ) as connection:
        row = connection.execute(
            "SELECT envelope FROM fleet_outbox WHERE workload_id = %s AND op = 'start'", [workload]
        ).fetchone()
    assert row is not None
    return str(row[0])


def order_in(envelope: str) -> dict[str, Any]:
    return dict(json.loads(base64.b64decode(envelope.partition(".")[0])))


def stop_of(start: dict[str, Any], **changes: Any) -> Order:
    now = int(time.time())
    told = {
        "kid": start["kid"],
        "aud": UUID(start["aud"]),
        "seq": start["seq"] + 1000,
        "jti": uuid4(),
        "iat": now,
        "exp": now + 60,
        "op": "stop",
        "gang": UUID(start["gang"]),
        "workload": UUID(start["workload"]),
        "fence": start["fence"],
        "grace_seconds": 1.0,
    }
    return Order(**(told | changes))


class TestHostileBroker:
    def test_ends_nothing_without_the_key_and_the_key_ends_it(
        self,
        installation: Installation,
        broker: Broker,
        signing_key: Ed25519PrivateKey,
        shared: Path,
    ) -> None:
        job = installation.submit_script(WAITS, name="target", arguments=[str(shared)])
        wait_for((shared / "started").exists, "the script to start")
        start = order_in(genuine(installation, job))
        valid = seal(stop_of(start), signing_key)
        payload, _, signature = valid.partition(".")
        altered = base64.b64encode(base64.b64decode(payload).replace(b'"stop"', b'"stop" '))
        for envelope in (
            seal(stop_of(start), Ed25519PrivateKey.generate()),  # forged
            f"{altered.decode()}.{signature}",
            seal(stop_of(start, aud=uuid4()), signing_key),  # misdirected
            seal(stop_of(start, iat=1_000_000, exp=1_000_060), signing_key),  # expired
            seal(stop_of(start, fence=start["fence"] + 1), signing_key),  # another fence
            "",
            "." * 1000,
            payload,
        ):
            broker.send(envelope)
        for message in GARBAGE:
            broker.throw(message)
        wait_for(broker.is_drained, "the letterbox to take everything")

        assert installation.job(job)["state"] == "running"

        broker.send(valid)  # the queue still works, and a signature is all it takes
        # nobody has asked for this end, so the job runs again
        wait_for(lambda: installation.job(job)["run"]["number"] == 2, "the stop to work")
        (shared / "go").touch()
        installation.wait_until(job, "succeeded")

    def test_a_replayed_start_starts_nothing(
        self, installation: Installation, broker: Broker, shared: Path
    ) -> None:
        count = "import pathlib, sys; open(sys.argv[1], 'a').write('x')"
        starts = shared / "starts"
        job = installation.submit_script(count, name="once", arguments=[str(starts)])
        installation.wait_until(job, "succeeded")
        envelope = genuine(installation, job)

        for _ in range(10):
            broker.send(envelope)
        wait_for(broker.is_drained, "the letterbox to take everything")
        control = installation.submit_script(count, name="again", arguments=[str(starts)])
        installation.wait_until(control, "succeeded")

        assert starts.read_text() == "xx"


class TestOneRoadIsEnough:
    """A second node, with one of its two ways to orders cut off."""

    @pytest.mark.parametrize("cut", ["--no-pull", "--no-broker"])
    def test_a_job_starts(
        self, cut: str, installation: Installation, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        name = f"half{cut.replace('-', '')}"
        state = tmp_path_factory.mktemp(name)
        with second_node(installation, state, name, cut), only(installation, name):
            job = installation.submit_script("print('hello')", name=name)
            ended = installation.wait_until(job, "succeeded")

        assert ended["run"]["node"]["name"] == name


@contextmanager
def second_node(
    installation: Installation, state: Path, name: str, *options: str
) -> Iterator[None]:
    agent = [sys.executable, "-m", "agents.node"]
    token = installation.post("/nodes/join-tokens").json()["token"]
    joining = [*agent, "join", installation.url, token, "--state", str(state), "--name", name]
    subprocess.run(joining, check=True)
    with (state / "agent.log").open("wb") as log:
        daemon = subprocess.Popen(
            [*agent, "run", "--state", str(state), *options],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(lambda: contact_of(installation, name) == "fresh", "the second node")
        yield
    finally:
        # it is believed to be there for a while after it has gone: no job of another test for it
        (gone,) = [n for n in installation.get("/nodes")["results"] if n["name"] == name]
        installation.post(f"/nodes/{gone['id']}/cordon").raise_for_status()
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(30)


@contextmanager
def only(installation: Installation, name: str) -> Iterator[None]:
    """Every other node is cordoned."""
    others = [n for n in installation.get("/nodes")["results"] if n["name"] != name]
    for node in others:
        installation.post(f"/nodes/{node['id']}/cordon").raise_for_status()
    try:
        yield
    finally:
        for node in others:
            installation.post(f"/nodes/{node['id']}/uncordon").raise_for_status()


def contact_of(installation: Installation, name: str) -> str | None:
    nodes = installation.get("/nodes")["results"]
    return next((node["contact"] for node in nodes if node["name"] == name), None)
