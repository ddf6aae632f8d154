"""What this node has promised and done, kept where a crash cannot take it.

A workload is claimed here before anything is done for it, and never twice: with the control plane's
yes that is what makes a start happen at most once.
"""

import secrets
import sqlite3
from dataclasses import dataclass
from uuid import UUID

import msgspec

from agents.node.database import Database
from agents.protocol.envelope import Order
from agents.protocol.link import WorkloadReport
from agents.protocol.workloads import WorkloadState

SERVICE = "service"  # a stream of one piece: where a workload that serves is reached
AWAITED, TOLD = 1, 2  # its positions


@dataclass(frozen=True)
class Claim:
    """One workload this node has taken on."""

    workload: UUID
    fence: int
    spec_sha256: str
    nonce: str  # names this claim when it asks for the start
    state: WorkloadState
    stop_grace_seconds: float | None = None  # somebody asked for its end

    @property
    def stop_asked(self) -> bool:
        return self.stop_grace_seconds is not None


class Journal:
    """The only writer of claims. Its calls block on the disk: call it in a thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, order: Order, *, now: float) -> Claim | None:
        """Write an order down; the claim if it asks for something new, else None.

        A repeat is nothing new, whichever way it comes. Nothing is taken on while an older fence of
        the same workload is still being settled: the order comes again until then.
        """
        with self._database.transaction() as cursor:
            cursor.execute("DELETE FROM seen WHERE exp < ?", (now - 3600,))
            if cursor.execute("SELECT 1 FROM seen WHERE jti = ?", (str(order.jti),)).fetchone():
                return None
            claims = _claims(cursor, "workload = ?", str(order.workload))
            if any(settled == 0 and claim.fence < order.fence for claim, settled in claims):
                return None
            cursor.execute("INSERT INTO seen VALUES (?, ?)", (str(order.jti), order.exp))
            if any(claim.fence > order.fence for claim, _ in claims):
                return None
            mine = next((c for c in claims if c[0].fence == order.fence), None)
            if order.op == "start":
                return None if mine else self._insert(cursor, order, stop=False)
            if mine is None:  # it never came here: remember that it must not start any more
                return self._insert(cursor, order, stop=True)
            claim, settled = mine
            if settled:
                return None
            cursor.execute(
                "UPDATE claims SET stop_grace_seconds = ? WHERE workload = ? AND fence = ?",
                (order.grace_seconds, str(claim.workload), claim.fence),
            )
            return _claims(cursor, "workload = ? AND fence = ?", str(claim.workload), claim.fence)[
                0
            ][0]

    def unsettled(self) -> list[Claim]:
        """Everything there is still something to do for."""
        with self._database.transaction() as cursor:
            return [claim for claim, _ in _claims(cursor, "NOT settled")]

    def move(self, report: WorkloadReport) -> int:
        """Note a workload's new state and spool the report of it, both or neither; its sequence."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "UPDATE claims SET state = ? WHERE workload = ? AND fence = ?",
                (report.state.value, str(report.workload), report.fence),
            )
            cursor.execute(
                "INSERT INTO reports (workload, body) VALUES (?, ?)",
                (str(report.workload), msgspec.msgpack.encode(report)),
            )
            assert cursor.lastrowid is not None
            return cursor.lastrowid

    def note(self, claim: Claim, state: WorkloadState) -> None:
        """Note a state that the control plane knows by itself."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "UPDATE claims SET state = ? WHERE workload = ? AND fence = ?",
                (state.value, str(claim.workload), claim.fence),
            )

    def settle(self, claim: Claim) -> None:
        """Nothing more is to be done or said for it; the claim itself stays for ever."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "UPDATE claims SET settled = 1 WHERE workload = ? AND fence = ?",
                (str(claim.workload), claim.fence),
            )
            cursor.execute("DELETE FROM reports WHERE workload = ?", (str(claim.workload),))
            cursor.execute("DELETE FROM positions WHERE workload = ?", (str(claim.workload),))

    def has_reports(self, claim: Claim) -> bool:
        """Whether something was said of it that is not acknowledged."""
        with self._database.transaction() as cursor:
            row = cursor.execute(
                "SELECT 1 FROM reports WHERE workload = ? LIMIT 1", (str(claim.workload),)
            ).fetchone()
        return row is not None

    def await_service(self, claim: Claim) -> None:
        """Note that this workload is one that serves and will say where."""
        self.keep_positions({(claim.workload, SERVICE): AWAITED})

    def awaits_service(self, claim: Claim) -> bool:
        return self.position(claim.workload, SERVICE) == AWAITED

    def tell_service(self, report: WorkloadReport) -> None:
        """Spool the report of where a workload is reached, once in its life."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "UPDATE positions SET offset = ? WHERE workload = ? AND stream = ? AND offset = ?",
                (TOLD, str(report.workload), SERVICE, AWAITED),
            )
            if cursor.rowcount:
                cursor.execute(
                    "INSERT INTO reports (workload, body) VALUES (?, ?)",
                    (str(report.workload), msgspec.msgpack.encode(report)),
                )

    def position(self, workload: UUID, stream: str) -> int:
        """How far a stream of a workload is known to be stored."""
        with self._database.transaction() as cursor:
            row = cursor.execute(
                "SELECT offset FROM positions WHERE workload = ? AND stream = ?",
                (str(workload), stream),
            ).fetchone()
        return int(row[0]) if row else 0

    def keep_positions(self, positions: dict[tuple[UUID, str], int]) -> None:
        """Losing these costs only sending again."""
        with self._database.transaction() as cursor:
            cursor.executemany(
                "INSERT INTO positions VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET offset = max(offset, excluded.offset)",
                [(str(workload), stream, at) for (workload, stream), at in positions.items()],
            )

    def _insert(self, cursor: sqlite3.Cursor, order: Order, *, stop: bool) -> Claim:
        claim = Claim(
            workload=order.workload,
            fence=order.fence,
            spec_sha256=order.spec_sha256,
            nonce=secrets.token_hex(16),
            state=WorkloadState.ASSIGNED,
            stop_grace_seconds=order.grace_seconds if stop else None,
        )
        cursor.execute(
            "INSERT INTO claims VALUES (?, ?, ?, ?, ?, ?, 0)",
            (
                str(claim.workload),
                claim.fence,
                claim.spec_sha256,
                claim.nonce,
                claim.state.value,
                claim.stop_grace_seconds,
            ),
        )
        return claim


def _claims(cursor: sqlite3.Cursor, condition: str, *values: object) -> list[tuple[Claim, int]]:
    rows = cursor.execute(
        "SELECT workload, fence, spec_sha256, nonce, state, stop_grace_seconds, settled"
        f" FROM claims WHERE {condition} ORDER BY fence",  # the conditions are ours
        values,
    ).fetchall()
    return [
        (Claim(UUID(workload), fence, spec, nonce, WorkloadState(state), grace), settled)
        for workload, fence, spec, nonce, state, grace, settled in rows
    ]
