"""What was said and is not yet acknowledged: reports, and blocks of samples, each in sequence."""

import sqlite3

import msgspec

from agents.node.database import Database
from agents.protocol.link import (
    MAX_FRAME_BYTES,
    Block,
    DeviceReport,
    Report,
    WorkloadReport,
)

MOST_TOLD = 10_000  # ends that are kept after they were acknowledged
MAX_BLOCKS = 24 * 360  # a day of silence; then the oldest give way, counted
MAX_REPORT_BYTES = (
    MAX_FRAME_BYTES // 2
)  # of one frame; the list of a run's outputs may be that long


class Spool:
    """Kept until acknowledged. Reports are written by the journal, together with the state."""

    def __init__(self, database: Database, *, max_blocks: int = MAX_BLOCKS) -> None:
        self._database = database
        self._max_blocks = max_blocks

    def reports_after(self, seq: int, limit: int) -> list[Report]:
        """The next reports, no more than a frame takes."""
        reports: list[Report] = []
        room = MAX_REPORT_BYTES
        with self._database.transaction() as cursor:
            rows = cursor.execute(
                "SELECT seq, body FROM reports WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit)
            )
            for number, body in rows:
                room -= len(body)
                if reports and room < 0:
                    break
                report = msgspec.msgpack.decode(body, type=Report)
                reports.append(msgspec.structs.replace(report, seq=number))
        return reports

    def add_report(self, report: DeviceReport) -> None:
        """Keep a report that is of no workload, and speaks for itself."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "INSERT INTO reports (workload, body) VALUES ('', ?)",
                (msgspec.msgpack.encode(report),),
            )

    def add_block(self, start: float, data: bytes) -> None:
        """Keep a block; when there are too many, the oldest is dropped and counted."""
        with self._database.transaction() as cursor:
            cursor.execute("INSERT INTO blocks (start, data) VALUES (?, ?)", (start, data))
            cursor.execute(
                "DELETE FROM blocks WHERE seq <= (SELECT max(seq) FROM blocks) - ?",
                (self._max_blocks,),
            )
            if cursor.rowcount:
                _count(cursor, "dropped_blocks", cursor.rowcount)

    def blocks_after(self, seq: int, limit: int) -> list[Block]:
        with self._database.transaction() as cursor:
            rows = cursor.execute(
                "SELECT seq, start, data FROM blocks WHERE seq > ? ORDER BY seq LIMIT ?",
                (seq, limit),
            ).fetchall()
        return [Block(seq=seq, start=start, data=data) for seq, start, data in rows]

    def dropped_blocks(self) -> int:
        with self._database.transaction() as cursor:
            row = cursor.execute(
                "SELECT value FROM counters WHERE name = 'dropped_blocks'"
            ).fetchone()
        return int(row[0]) if row else 0

    def acknowledge(self, *, reports: int | None = None, blocks: int | None = None) -> None:
        """Forget what is stored on the other side."""
        with self._database.transaction() as cursor:
            if reports is not None:
                _keep_ends(cursor, reports)
            if blocks is not None:
                cursor.execute("DELETE FROM blocks WHERE seq <= ?", (blocks,))

    def resume(self, *, reports: int, blocks: int) -> None:
        """Start a link: forget what the other side has, and never use a sequence it has seen.

        If it knows of more than was ever said here, this folder is younger than the node: then
        what waits is numbered anew above that. If it knows of less than it has acknowledged, it was
        restored from a backup: then the ends it has forgotten are told again.
        """
        with self._database.transaction() as cursor:
            _resume(cursor, "reports", reports)
            cursor.execute(
                "INSERT OR IGNORE INTO reports SELECT * FROM told WHERE seq > ?", (reports,)
            )
            _resume(cursor, "blocks", blocks)


def _keep_ends(cursor: sqlite3.Cursor, through: int) -> None:
    """Take reports out of the spool; what ends a workload is kept for whoever forgets it."""
    said = cursor.execute("SELECT seq, workload, body FROM reports WHERE seq <= ?", (through,))
    ends = [row for row in said if _is_end(msgspec.msgpack.decode(row[2], type=Report))]
    cursor.executemany("INSERT OR REPLACE INTO told VALUES (?, ?, ?)", ends)
    if ends:
        cursor.execute(
            "DELETE FROM told WHERE seq <= (SELECT seq FROM told ORDER BY seq DESC"
            " LIMIT 1 OFFSET ?)",
            (MOST_TOLD,),
        )
    cursor.execute("DELETE FROM reports WHERE seq <= ?", (through,))


def _is_end(report: Report) -> bool:
    return isinstance(report, WorkloadReport) and report.state.is_final


def _resume(cursor: sqlite3.Cursor, table: str, through: int) -> None:
    row = cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    said = int(row[0]) if row else 0
    if said >= through:
        if table == "reports":
            _keep_ends(cursor, through)
        else:
            cursor.execute(f"DELETE FROM {table} WHERE seq <= ?", (through,))
        return
    # from the top, so that no two rows share a number on the way
    waiting = cursor.execute(f"SELECT seq FROM {table} ORDER BY seq DESC").fetchall()
    for (seq,) in waiting:
        cursor.execute(f"UPDATE {table} SET seq = ? WHERE seq = ?", (seq + through, seq))
    cursor.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
    cursor.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (table, said + through))


def _count(cursor: sqlite3.Cursor, name: str, by: int) -> None:
    cursor.execute(
        "INSERT INTO counters VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + ?",
        (name, by, by),
    )
