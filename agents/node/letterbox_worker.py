"""The letterbox: a Celery worker on the node's own queue that hands strings to the daemon.

Started by path with ``-I`` and told on standard input where the broker is. It has one task and
looks at nothing. Garbage on the queue is thrown away, not died of: stock workers do die of it.
"""

import ctypes
import logging
import signal
import socket
import sys
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import UUID

if __name__ == "__main__":  # -I keeps our own folder off the path, and everybody else's
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import msgspec
from celery import Celery
from celery.exceptions import SecurityWarning
from celery.worker.strategy import default
from kombu import Exchange, Queue
from kombu.transport import TRANSPORT_ALIASES, redis
from kombu.transport.virtual import Empty

from agents.node.letterbox import UNACKNOWLEDGED
from agents.protocol.envelope import MAX_BYTES, TASK_NAME, queue_of
from agents.protocol.rest import BrokerAccess

log = logging.getLogger("letterbox")

PR_SET_PDEATHSIG = 1


class Access(msgspec.Struct):
    node: UUID
    broker: BrokerAccess


class Channel(redis.Channel):
    """Reads on when something on the queue is no message at all."""

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]  # kombu's stubs lack it
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            log.warning("garbage thrown away: %s", type(error).__name__)
            raise Empty from None


class Transport(redis.Transport):
    Channel = Channel


def strategy(task: Any, app: Celery, consumer: Any, **options: Any) -> Any:
    """Celery's own, that throws an unreadable message away instead of dying of it."""
    handle = default(task, app, consumer, **options)

    def guarded(message: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return handle(message, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - whatever somebody has thought of
            log.warning("unreadable message thrown away: %s", type(error).__name__)
            message.reject_log_error(log, (Exception,))
            return None

    return guarded


def forget_the_built_in_tasks(sender: Celery, **_: Any) -> None:
    """Whoever can write to the queue could have them run. (Celery holds this function weakly.)"""
    for name in [name for name in sender.tasks if name.startswith("celery.")]:
        sender.tasks.pop(name)


def letterbox(access: Access, daemon: socket.socket) -> Celery:
    """The app: one task, one queue, nothing else."""
    queue = queue_of(access.node)
    app = Celery("letterbox", set_as_current=False)
    app.conf.update(
        broker_url=_url(access.broker),
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "visibility_timeout": 60,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_timeout": 10,
            "socket_keepalive": True,
            "health_check_interval": 15,
            **{option: f"node.{access.node}:{key}" for option, key in UNACKNOWLEDGED.items()},
        },
        result_backend=None,
        task_ignore_result=True,
        task_acks_late=False,
        accept_content=["json"],
        task_queues=[Queue(queue, Exchange(queue), routing_key=queue)],
        task_default_queue=queue,
        task_create_missing_queues=False,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
    )

    app.on_after_finalize.connect(forget_the_built_in_tasks)

    @app.task(name=TASK_NAME, shared=False, Strategy=f"{__name__}:strategy")
    def envelope(text: str) -> None:
        if isinstance(text, str) and text and len(body := text.encode()) <= MAX_BYTES:
            daemon.sendall(body)

    return app


def main() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # never without the daemon
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    access = msgspec.json.decode(sys.stdin.buffer.read(), type=Access)
    daemon = socket.socket(fileno=int(sys.argv[1]))
    TRANSPORT_ALIASES["redis"] = TRANSPORT_ALIASES["rediss"] = f"{__name__}:Transport"
    # being root matters to workers that take pickle
    warnings.simplefilter("ignore", SecurityWarning)
    app = letterbox(access, daemon)
    app.Worker(
        pool="threads",
        concurrency=2,
        loglevel="WARNING",
        hostname=f"letterbox@{access.node}",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    ).start()


def _url(broker: BrokerAccess) -> str:
    parts = urlsplit(broker.url)
    place = parts.netloc.rpartition("@")[2]
    user = f"{quote(broker.username, safe='')}:{quote(broker.password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{user}@{place}"))


if __name__ == "__main__":
    main()
