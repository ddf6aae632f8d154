"""From a string to a verified order: the one way, whether it came by the broker or was pulled."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Mapping
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agents.node.client import ControlPlane, Refused, Unavailable
from agents.node.clock import Clock
from agents.node.concurrency import happens
from agents.node.supervisor import Supervisor
from agents.protocol import envelope

log = logging.getLogger(__name__)

PULL_SECONDS = 15.0


class Orders:
    """Takes envelopes; what is odd is counted and goes no further."""

    def __init__(
        self,
        node: UUID,
        keys: Mapping[str, Ed25519PublicKey],
        clock: Clock,
        supervisor: Supervisor,
    ) -> None:
        self.keys = dict(keys)
        self.refused: Counter[str] = Counter()
        self._node = node
        self._clock = clock
        self._supervisor = supervisor

    async def take(self, text: str) -> None:
        """Obey an envelope, if it is one for this node."""
        now = self._clock.now()
        try:
            order = envelope.open_envelope(text, node=self._node, keys=self.keys, now=now)
        except envelope.Refused as refused:
            self.refused[refused.code] += 1
            log.warning("an envelope is refused: %s", refused.code)
            return
        try:
            await self._supervisor.obey(order, now=now)
        except Exception:
            log.exception("an order cannot be taken down; it comes again")


class Pull:
    """Asks for what is wanted of this node: when told to look, and every so often regardless."""

    def __init__(self, control_plane: ControlPlane, orders: Orders) -> None:
        self._control_plane = control_plane
        self._orders = orders
        self._look = asyncio.Event()

    def look(self) -> None:
        self._look.set()

    async def run(self) -> None:
        while True:
            self._look.clear()
            try:
                for text in await self._control_plane.desired():
                    await self._orders.take(text)
            except (Unavailable, Refused) as error:
                log.warning("the desired set is out of reach: %s", error)
            await happens(self._look, within=PULL_SECONDS * random.uniform(0.8, 1.2))
