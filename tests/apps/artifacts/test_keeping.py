"""What is removed, what is found to be damaged, and what never is."""

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test import Client
from django.utils import timezone

from apps.artifacts import answers, services, space, storage
from apps.artifacts.models import Artifact, Damage, Scrub
from controlplane.cli.embedded import backup
from tests import make

DATA = b"weights " * 1000
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(autouse=True)
def store(settings: Any, tmp_path: Path) -> storage.LocalStore:
    settings.ARTIFACTS_DIR = tmp_path / "artifacts"
    return storage.store()


def path_of(store: storage.LocalStore, digest: str = DIGEST) -> Path:
    return store._blob(digest)


def put(store: storage.LocalStore, data: bytes = DATA, *, hours_old: float = 0) -> str:
    digest = hashlib.sha256(data).hexdigest()
    path = path_of(store, digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    then = timezone.now().timestamp() - hours_old * 3600
    os.utime(path, (then, then))
    return digest


def now() -> datetime:
    return timezone.now()


@pytest.mark.django_db
class TestCollectGarbage:
    def test_removes_what_nobody_holds_after_a_day(self, store: storage.LocalStore) -> None:
        put(store, hours_old=25)

        assert services.collect_garbage(at=now()) == len(DATA)
        assert not storage.has(DIGEST)

    def test_keeps_what_is_younger(self, store: storage.LocalStore) -> None:
        put(store, hours_old=23)

        assert services.collect_garbage(at=now()) == 0
        assert storage.has(DIGEST)

    def test_keeps_what_a_project_holds(self, store: storage.LocalStore) -> None:
        put(store, hours_old=1000)
        Artifact.objects.create(project=make.project(), digest=DIGEST, size=len(DATA))

        services.collect_garbage(at=now())

        assert storage.has(DIGEST)

    def test_keeps_what_an_upload_has_become(self, store: storage.LocalStore) -> None:
        project = make.project()
        upload = services.start_upload(
            project=project,
            holder=make.user().id,
            filename="w",
            size=len(DATA),
            digest="",
            at=now(),
        )
        incoming = store.receive(upload.id)
        incoming.write(DATA)
        incoming.seal("")
        incoming.close()
        os.utime(path_of(store), (0, 0))

        services.collect_garbage(at=now())

        assert storage.has(DIGEST)
        services.finish_upload(upload_id=upload.id, at=now())

    @pytest.mark.parametrize("how", ["held", "sent again"])
    def test_looks_again_at_what_somebody_came_to_need(
        self, store: storage.LocalStore, monkeypatch: pytest.MonkeyPatch, how: str
    ) -> None:
        """F51: between the mark and the sweep the same bytes get a new reference."""
        put(store, hours_old=25)
        project = make.project()
        found = space.unheld

        def and_then(**when: Any) -> list[str]:
            marked = found(**when)
            if how == "held":
                services.adopt(project=project, digest=DIGEST, size=len(DATA), at=now())
            else:
                put(store)
            return marked

        monkeypatch.setattr(space, "unheld", and_then)

        assert services.collect_garbage(at=now()) == 0
        assert storage.has(DIGEST)
        assert services.check_store(hashing=True).mismatches == 0


@pytest.mark.django_db(transaction=True)
class TestTogether:
    def test_waits_for_whoever_is_about_to_hold(
        self, store: storage.LocalStore, in_thread: Callable[..., Any]
    ) -> None:
        """The reference is written and not committed yet: the sweep waits for its commit."""
        put(store, hours_old=25)
        project = make.project()
        with transaction.atomic():
            services.adopt(project=project, digest=DIGEST, size=len(DATA), at=now())
            sweep = in_thread(services.collect_garbage, at=now())
            assert storage.has(DIGEST)
        assert sweep.result(30) == 0

        assert storage.has(DIGEST)

    def test_leaves_everything_while_a_backup_is_made(
        self, store: storage.LocalStore, in_thread: Callable[..., Any]
    ) -> None:
        assert backup.COLLECTOR_LOCK == services.COLLECTOR_LOCK
        put(store, hours_old=25)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock_shared(%s)", [backup.COLLECTOR_LOCK])
            try:
                assert in_thread(services.collect_garbage, at=now()).result(30) == 0
            finally:
                cursor.execute("SELECT pg_advisory_unlock_shared(%s)", [backup.COLLECTOR_LOCK])
        assert storage.has(DIGEST)


@pytest.fixture
def in_thread() -> Iterator[Any]:
    pool = ThreadPoolExecutor(1)

    def run(function: Callable[..., Any], **arguments: Any) -> "Future[Any]":
        def call() -> Any:
            try:
                return function(**arguments)
            finally:
                connections.close_all()

        return pool.submit(call)

    yield run
    pool.shutdown()


def rot(store: storage.LocalStore) -> None:
    """One bit turns; size and time stay."""
    path = path_of(store)
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[1234] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.django_db
class TestScrub:
    def test_sets_damaged_bytes_aside_and_says_so_to_who_holds_them(
        self, store: storage.LocalStore
    ) -> None:
        project, other = make.project(), make.project()
        put(store)
        Artifact.objects.create(project=project, digest=DIGEST, size=len(DATA))
        rot(store)

        services.scrub(at=now(), most_bytes=10**9)

        assert not storage.has(DIGEST)
        (item,) = answers.damaged_bytes(project, now())
        assert item.reason.code == "bytes_damaged"
        assert list(answers.damaged_bytes(other, now())) == []

        put(store)  # sent again
        services.forget_mended()
        assert not Damage.objects.exists()

    def test_goes_on_where_it_stopped(self, store: storage.LocalStore) -> None:
        for n in range(5):
            put(store, b"%d" % n * 100)

        read = [services.scrub(at=now(), most_bytes=250) for _ in range(3)]

        assert read == [200, 200, 100]
        assert Scrub.objects.get().ended_at

    def test_what_is_whole_stays(self, store: storage.LocalStore) -> None:
        put(store)

        services.scrub(at=now(), most_bytes=10**9)

        assert storage.has(DIGEST)


@pytest.mark.django_db
class TestCheck:
    def test_finds_what_is_missing_and_what_is_damaged(self, store: storage.LocalStore) -> None:
        project = make.project()
        put(store)
        missing = hashlib.sha256(b"gone").hexdigest()
        for digest, size in ((DIGEST, len(DATA)), (missing, 4)):
            Artifact.objects.create(project=project, digest=digest, size=size)
        put(store, b"nobody's")
        rot(store)

        found = services.check_store(hashing=True)

        assert (found.missing, found.damaged) == ([missing], [DIGEST])
        assert (found.unheld, found.unheld_bytes) == (1, 8)
        assert services.check_store(hashing=False).damaged == []


@pytest.mark.django_db
class TestApi:
    def test_tells_operators_what_could_go(self, client: Client, store: storage.LocalStore) -> None:
        put(store, hours_old=25)

        answer = client.get("/api/v1/storage", headers=make.bearer(make.user(is_operator=True)))

        assert answer.json()["reclaimable_bytes"] == len(DATA)
        assert client.get("/api/v1/storage", headers=make.bearer(make.user())).status_code == 403
