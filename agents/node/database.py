"""The agent's one SQLite file. What is committed here has reached the disk."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SCHEMA_VERSION = 2
SCHEMA = """
CREATE TABLE claims (
    workload TEXT NOT NULL,
    fence INTEGER NOT NULL,
    spec_sha256 TEXT NOT NULL,
    nonce TEXT NOT NULL,
    state TEXT NOT NULL,
    stop_grace_seconds REAL,
    settled INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (workload, fence)
);
CREATE INDEX claims_unsettled ON claims (workload) WHERE NOT settled;
CREATE TABLE seen (jti TEXT PRIMARY KEY, exp INTEGER NOT NULL);
CREATE TABLE positions (
    workload TEXT NOT NULL, stream TEXT NOT NULL, offset INTEGER NOT NULL,
    PRIMARY KEY (workload, stream)
);
CREATE TABLE reports (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, workload TEXT NOT NULL, body BLOB NOT NULL
);
CREATE TABLE blocks (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, start REAL NOT NULL, data BLOB NOT NULL
);
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""
# ends that were acknowledged: a control plane restored from a backup has to be told again
TOLD = """
CREATE TABLE told (seq INTEGER PRIMARY KEY, workload TEXT NOT NULL, body BLOB NOT NULL)
"""


class Database:
    """A connection that threads take turns with; one transaction at a time."""

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self._turn = threading.RLock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        # where it need not outlive the machine, only the process
        self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
        path.chmod(0o600)
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version < SCHEMA_VERSION:
            with self.transaction() as cursor:
                for statement in [*(SCHEMA.split(";") if version == 0 else ()), TOLD]:
                    cursor.execute(statement)
                cursor.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Cursor]:
        """Everything inside holds, durably, or none of it."""
        with self._turn:
            cursor = self._connection.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
            except BaseException:
                cursor.execute("ROLLBACK")
                raise
            cursor.execute("COMMIT")

    def close(self) -> None:
        with self._turn:
            self._connection.close()
