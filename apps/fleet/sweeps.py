import logging
from datetime import timedelta

import redis
from django.conf import settings
from django.utils import timezone

from apps.common.sweeps import every
from apps.fleet import broker, dispatch, selectors, services

log = logging.getLogger(__name__)

_broker_users = broker.Users()


@every(seconds=5, wake="outbox")
def sign_orders() -> None:
    """Give every order an envelope that holds, for the broker and for whoever pulls."""
    while dispatch.sign_orders(at=timezone.now()):
        pass


@every(seconds=5, wake="envelopes")
def publish_orders() -> None:
    """Hand envelopes to the broker; apart from signing, so that one that hangs stalls nothing."""
    while dispatch.publish_orders(at=timezone.now()):
        pass


@every(seconds=5)
def mark_silent_nodes() -> None:
    services.mark_silent_nodes(at=timezone.now())


@every(seconds=10, wake="broker_users")
def keep_broker_users_true() -> None:
    """Every node has its user in the broker, also after it forgot; removed nodes have none."""
    if not selectors.has_broker():
        return
    try:
        changed = _broker_users.keep_true(settings.REDIS_URL, selectors.broker_secrets())
    except redis.RedisError as error:
        log.warning("the users of the broker cannot be looked after: %s", type(error).__name__)
        return
    if changed:
        log.info("put right at the broker: %d users of nodes", changed)


@every(seconds=86400)
def forget_events() -> None:
    """Keep of what happened to nodes as much as is looked at."""
    services.forget_events(before=timezone.now() - timedelta(days=settings.EVENT_DAYS))


@every(seconds=3600)
def forget_spent() -> None:
    """Drop invitations and orders that nobody asks for again."""
    services.forget_spent(before=timezone.now() - timedelta(days=settings.SPENT_DAYS))


@every(seconds=600)
def forget_nonces() -> None:
    """Drop spent nonces that are over for long."""
    services.forget_nonces(before=timezone.now() - timedelta(minutes=10))
