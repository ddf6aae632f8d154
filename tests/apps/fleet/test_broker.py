"""What a node can do at the broker with its own user: its queue, and nothing else."""

import logging
from collections.abc import Callable, Iterator
from queue import Queue
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest
import redis
from celery import Celery
from celery.contrib.testing.worker import start_worker
from kombu.exceptions import OperationalError
from redis.exceptions import NoPermissionError

from agents.protocol.envelope import TASK_NAME, queue_of
from apps.accounts.credentials import sha256
from apps.fleet.broker import LONGEST_QUEUE, Users, keys_of, user_of
from tests.apps.fleet.brokers import Broker

A, B = UUID(int=0xA), UUID(int=0xB)
SECRETS = {A: "secret of a", B: "secret of b"}
HASHES = {node: sha256(secret) for node, secret in SECRETS.items()}


@pytest.fixture
def users(broker: Broker) -> Users:
    users = Users()
    users.keep_true(broker.url, HASHES)
    return users


@pytest.fixture
def as_a(broker: Broker, users: Users) -> Iterator["redis.Redis"]:
    client = connect(broker, A)
    yield client
    client.close()


def connect(broker: Broker, node: UUID, secret: str | None = None) -> "redis.Redis":
    return redis.Redis.from_url(
        broker.node_url,
        username=user_of(node),
        password=secret or SECRETS[node],
        decode_responses=True,
    )


def letterbox(broker: Broker, node: UUID) -> tuple[Celery, "Queue[str]"]:
    """A Celery app with the user of a node, and what its one task has been handed."""
    own = queue_of(node).removesuffix("cmd")
    app = Celery("letterbox", set_as_current=False)
    app.conf.update(
        broker_url=broker.node_url.replace(
            "redis://", f"redis://{user_of(node)}:{quote(SECRETS[node])}@"
        ),
        broker_transport_options={
            "unacked_key": f"{own}unacked",
            "unacked_index_key": f"{own}unacked_index",
            "unacked_mutex_key": f"{own}unacked_mutex",
        },
        task_ignore_result=True,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
    )
    got: Queue[str] = Queue()
    app.task(name=TASK_NAME, shared=False)(got.put)
    return app, got


class TestANodesUser:
    def test_is_all_that_a_celery_worker_needs_for_its_queue(
        self, broker: Broker, users: Users
    ) -> None:
        app, got = letterbox(broker, A)
        control = Celery("control", broker=broker.url, set_as_current=False)
        with start_worker(
            app, pool="threads", concurrency=1, perform_ping_check=False, queues=[queue_of(A)]
        ):
            control.send_task(TASK_NAME, args=["an envelope"], queue=queue_of(A), retry=False)
            assert got.get(timeout=20) == "an envelope"

        assert broker.client().acl_log() == []  # nothing was refused on the way
        assert broker.client().llen(queue_of(A)) == 0

    @pytest.mark.parametrize(
        "forbidden",
        [
            lambda c: c.lpush(queue_of(B), "x"),
            lambda c: c.lpush(f"node.{A}", "x"),
            lambda c: c.lpush(f"node.{A}b:cmd", "x"),
            lambda c: c.brpop([queue_of(B)], timeout=1),
            lambda c: c.rpop(queue_of(B)),
            lambda c: c.llen(queue_of(B)),
            lambda c: c.lpush("control", "x"),
            lambda c: c.smembers(f"_kombu.binding.{queue_of(B)}"),
            lambda c: c.sadd("_kombu.binding.control", "x"),
            lambda c: c.hget("unacked", "x"),
            lambda c: c.get("anything"),
            lambda c: c.set("anything", "x"),
            lambda c: c.eval("return redis.call('lpush', KEYS[1], 'x')", 1, queue_of(B)),
            lambda c: c.eval("return redis.call('lpush', ARGV[1], 'x')", 0, queue_of(B)),
            lambda c: c.eval("return redis.call('keys', '*')", 0),
            lambda c: c.keys("*"),
            lambda c: c.scan(),
            lambda c: c.config_get("*"),
            lambda c: c.config_set("maxmemory", "1"),
            lambda c: c.acl_whoami(),
            lambda c: c.acl_list(),
            lambda c: c.acl_setuser("mine", enabled=True),
            lambda c: c.publish("datahall:live:topic:fleet", "x"),
            lambda c: c.execute_command("SUBSCRIBE", "datahall:live:topic:fleet"),
            lambda c: c.execute_command("PSUBSCRIBE", "*"),
            lambda c: c.execute_command("MONITOR"),
            lambda c: c.client_list(),
            lambda c: c.client_kill("127.0.0.1:1"),
            lambda c: c.flushall(),
            lambda c: c.flushdb(),
            lambda c: c.info(),
            lambda c: c.dbsize(),
            lambda c: c.randomkey(),
            lambda c: c.shutdown(nosave=True),
            lambda c: c.execute_command("RENAME", queue_of(A), queue_of(B)),
            lambda c: c.execute_command("COPY", queue_of(A), queue_of(B)),
            lambda c: c.execute_command("LMOVE", queue_of(A), queue_of(B), "LEFT", "LEFT"),
            lambda c: c.execute_command("REPLICAOF", "127.0.0.1", "1"),
            lambda c: c.execute_command("FUNCTION", "LIST"),
            lambda c: c.execute_command("SCRIPT", "FLUSH"),
        ],
    )  # fmt: skip
    def test_may_do_nothing_else(
        self, as_a: "redis.Redis", forbidden: Callable[["redis.Redis"], object]
    ) -> None:
        with pytest.raises(redis.RedisError, match=r"NOPERM|permission|ACL failure"):
            forbidden(as_a)

    def test_is_not_had_with_another_nodes_secret(self, broker: Broker, users: Users) -> None:
        with pytest.raises(redis.AuthenticationError):
            connect(broker, B, SECRETS[A]).ping()

    def test_is_not_had_with_the_hash_of_its_secret(self, broker: Broker, users: Users) -> None:
        with pytest.raises(redis.AuthenticationError):
            connect(broker, A, HASHES[A]).ping()

    def test_cannot_publish_as_celery_to_another_node(self, broker: Broker, users: Users) -> None:
        app, _ = letterbox(broker, A)

        with pytest.raises((OperationalError, NoPermissionError)):
            app.send_task(TASK_NAME, args=["x"], queue=queue_of(B), retry=False)
        assert broker.client().llen(queue_of(B)) == 0


class TestUsers:
    def test_are_left_alone_while_they_are_right(self, broker: Broker, users: Users) -> None:
        assert users.keep_true(broker.url, HASHES) == 0

    def test_that_somebody_changed_are_put_right(self, broker: Broker, users: Users) -> None:
        broker.client().execute_command("ACL SETUSER", user_of(A), "allkeys", "+@all")
        assert users.keep_true(broker.url, HASHES) == 1

        with pytest.raises(NoPermissionError):
            connect(broker, A).flushall()

    def test_come_back_after_the_broker_forgot_them(self, broker: Broker, users: Users) -> None:
        broker.stop()
        broker.forget_users()
        broker.start()
        with pytest.raises(redis.AuthenticationError):
            connect(broker, A).ping()

        assert users.keep_true(broker.url, HASHES) == 2
        assert connect(broker, A).ping()

    def test_outlive_a_restart_of_the_broker_by_themselves(
        self, broker: Broker, users: Users
    ) -> None:
        broker.stop()
        broker.start()

        assert connect(broker, A).ping()

    def test_with_a_new_secret_lose_the_old(self, broker: Broker, users: Users) -> None:
        users.keep_true(broker.url, HASHES | {A: sha256("another")})

        assert connect(broker, A, "another").ping()
        with pytest.raises(redis.AuthenticationError):
            connect(broker, A).ping()

    def test_of_removed_nodes_are_gone_with_their_keys_and_connections(
        self, broker: Broker, users: Users, as_a: "redis.Redis"
    ) -> None:
        as_a.lpush(queue_of(A), "x")
        users.keep_true(broker.url, {B: HASHES[B]})

        with pytest.raises(redis.RedisError):
            as_a.llen(queue_of(A))
        assert broker.client().exists(*keys_of(A)) == 0
        assert connect(broker, B).ping()

    def test_that_are_not_ours_are_left_alone(self, broker: Broker) -> None:
        broker.client().execute_command("ACL SETUSER", "node-red", "on", "+ping", ">x")
        Users().keep_true(broker.url, {})

        assert "node-red" in broker.client().acl_users()

    def test_do_not_fill_the_broker_by_reading_nothing(self, broker: Broker, users: Users) -> None:
        broker.client().lpush(queue_of(A), *range(LONGEST_QUEUE + 50))
        users.keep_true(broker.url, HASHES)

        assert broker.client().llen(queue_of(A)) == LONGEST_QUEUE
        assert broker.client().lindex(queue_of(A), 0) == str(LONGEST_QUEUE + 49)

    def test_are_never_logged_with_their_secrets(
        self, broker: Broker, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.DEBUG):
            Users().keep_true(broker.url, HASHES | {uuid4(): sha256("x")})

        assert HASHES[A] not in caplog.text
        assert SECRETS[A] not in caplog.text
