"""The nodes' users of the broker: each may touch the keys of its own queue and nothing else.

The rule is what a Celery worker on Redis needs for one queue, as its transport was seen to use it.
"""

import logging
import re
from collections.abc import Mapping
from uuid import UUID

import redis

from agents.protocol.envelope import queue_of

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 5.0
LONGEST_QUEUE = 1000  # older messages ran out long ago: a node that reads none fills nothing

_USER = re.compile(r"node-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
COMMANDS = [
    *("+hello", "+auth", "+ping", "+select", "+client|setinfo", "+client|setname"),
    *("+multi", "+exec", "+discard", "+watch", "+unwatch"),
    *("+brpop", "+rpop", "+llen", "+rpush", "+lpush", "+sadd", "+srem", "+smembers"),
    *("+hset", "+hget", "+hdel", "+hlen", "+zadd", "+zrem", "+zrange"),
    *("+set", "+get", "+del", "+evalsha", "+eval", "+script|load", "+expire", "+pexpire"),
    "+exists",
]
_PRIORITIES = ("", "\x06\x163", "\x06\x166", "\x06\x169")  # how the transport names their lists


def user_of(node_id: UUID) -> str:
    """The name of a node's broker user."""
    return f"node-{node_id}"


def keys_of(node_id: UUID) -> list[str]:
    """Every key that a node's queue may have left in the broker."""
    queue = queue_of(node_id)
    own = queue.removesuffix("cmd")
    return [
        *(queue + priority for priority in _PRIORITIES),
        *(own + name for name in ("unacked", "unacked_index", "unacked_mutex")),
        f"_kombu.binding.{queue}",
        f"_kombu.binding_permanent.{queue}",
    ]


class Users:
    """Keeps the broker's users true, and remembers what the broker made of each, so that a pass
    over users that are as they should be is one question."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, str]] = {}  # user -> (secret's hash, the broker's line)

    def keep_true(self, url: str, secrets: Mapping[UUID, str]) -> int:
        """Make the broker know exactly these nodes, by the hash of their secrets; how many changed.

        Raises ``redis.RedisError`` when the broker is away.
        """
        client = redis.Redis.from_url(
            url,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            decode_responses=True,
        )
        try:
            return self._keep_true(client, secrets)
        finally:
            client.close()

    def _keep_true(self, client: "redis.Redis", secrets: Mapping[UUID, str]) -> int:
        there = _users(client)
        wrong = [
            node_id
            for node_id, secret in secrets.items()
            if self._known.get(user_of(node_id)) != (secret, there.get(user_of(node_id)))
        ]
        for node_id in wrong:
            _set(client, node_id, secrets[node_id])
        gone = [UUID(user.removeprefix("node-")) for user in there]
        gone = [node_id for node_id in gone if node_id not in secrets]
        for node_id in gone:
            client.acl_deluser(user_of(node_id))  # its connections end with it
            client.delete(*keys_of(node_id))
        if wrong or gone:
            _save(client)
            there = _users(client)
        self._known = {
            user_of(node_id): (secret, there[user_of(node_id)])
            for node_id, secret in secrets.items()
            if user_of(node_id) in there
        }
        with client.pipeline(transaction=False) as trims:
            for node_id in secrets:
                trims.ltrim(queue_of(node_id), 0, LONGEST_QUEUE - 1)
            trims.execute()
        return len(wrong) + len(gone)


def _set(client: "redis.Redis", node_id: UUID, secret_sha256: str) -> None:
    own = queue_of(node_id).removesuffix("cmd")  # ends in ":", else longer names would fit as well
    client.acl_setuser(
        user_of(node_id),
        reset=True,
        reset_channels=True,  # a broker may be set up to give new users every channel
        enabled=True,
        hashed_passwords=[f"+{secret_sha256}"],
        commands=COMMANDS,
        keys=[f"{own}*", f"_kombu.binding.{own}*", f"_kombu.binding_permanent.{own}*"],
    )


def _users(client: "redis.Redis") -> dict[str, str]:
    """The broker's own line about each node's user."""
    lines = (str(line).split(" ", 2) for line in client.acl_list())
    return {name: rest for _, name, rest in lines if _USER.fullmatch(name)}


def _save(client: "redis.Redis") -> None:
    """Let the users outlive a restart of the broker; without a file the next pass makes them."""
    try:
        client.acl_save()
    except redis.ResponseError as error:
        log.debug("the broker keeps its users in memory only: %s", error)
