import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection

from apps.artifacts import services, storage
from apps.artifacts.models import Artifact, Upload
from apps.artifacts.storage import UploadIncomplete
from apps.audit.models import Entry
from apps.common.errors import NotFound
from tests import make
from tests.apps.artifacts.server import sha256, stored
from tests.make import NOON

pytestmark = pytest.mark.django_db
DATA = b"0123456789"
HOLDER = uuid4()


def start(project, *, data=DATA, digest=None, **more):
    wanted = {"filename": "a.bin", "size": len(data), "digest": sha256(data), **more}
    if digest is not None:
        wanted["digest"] = digest
    return services.start_upload(project=project, holder=HOLDER, at=NOON, **wanted)


def send(upload, data=DATA):
    incoming = storage.store().receive(upload.id)
    incoming.write(data)
    incoming.close()


class TestStartUpload:
    def test_waits_for_the_bytes(self):
        upload = start(make.project())

        assert (upload.finished_at, upload.artifact) == (None, None)
        assert upload.expires_at == NOON + services.UPLOAD_LIFETIME

    def test_is_finished_at_once_when_the_project_holds_the_bytes(self):
        project = make.project()
        artifact = make.artifact(project, DATA)

        assert start(project).artifact == artifact

    def test_bytes_of_another_project_must_be_sent_again(self):
        make.artifact(make.project(), DATA)

        upload = start(make.project())

        assert upload.artifact is None
        with pytest.raises(UploadIncomplete):
            services.finish_upload(upload_id=upload.id, at=NOON)

    def test_bytes_that_the_store_has_lost_must_be_sent_again(self, tmp_path):
        project = make.project()
        make.artifact(project, DATA)
        (tmp_path / "blobs" / sha256(DATA)[:2] / sha256(DATA)).unlink()

        assert start(project).artifact is None

    @pytest.mark.parametrize(
        ("wrong", "why"),
        [
            ({"size": -1}, "size_out_of_range"),
            ({"size": 2**60}, "size_out_of_range"),
            ({"digest": "../" * 20}, "digest_malformed"),
            ({"digest": "A" * 64}, "digest_malformed"),
        ],
    )
    def test_refuses(self, wrong, why):
        with pytest.raises(services.DomainError) as refused:
            start(make.project(), **wrong)
        assert refused.value.code == why

    def test_refuses_what_the_disk_has_no_room_for(self):
        with pytest.raises(storage.StoreFull):
            start(make.project(), size=services.MAX_BYTES)
        assert not Upload.objects.exists()


class TestFinishUpload:
    def test_gives_the_project_the_bytes(self):
        project, user = make.project(), make.user()
        upload = start(project)
        send(upload)

        artifact = services.finish_upload(upload_id=upload.id, at=NOON, actor=user.actor)

        assert (artifact.project, artifact.digest, artifact.size) == (project, sha256(DATA), 10)
        upload.refresh_from_db()
        assert (upload.finished_at, upload.artifact) == (NOON, artifact)
        entry = Entry.objects.get(action="artifact.add")
        assert (entry.actor_id, entry.project_id) == (user.id, project.id)

    def test_a_repeat_gives_the_same_and_is_noted_once(self):
        upload = start(make.project())
        send(upload)

        first = services.finish_upload(upload_id=upload.id, at=NOON)
        again = services.finish_upload(upload_id=upload.id, at=NOON + timedelta(days=1))

        assert first == again
        assert Entry.objects.filter(action="artifact.add").count() == 1

    def test_refuses_until_all_bytes_are_there(self):
        upload = start(make.project())
        send(upload, DATA[:3])

        with pytest.raises(UploadIncomplete) as refused:
            services.finish_upload(upload_id=upload.id, at=NOON)
        assert refused.value.params == {"offset": 3, "size": 10}

    def test_refuses_other_bytes_and_lets_them_be_sent_again(self):
        upload = start(make.project())
        send(upload, DATA[::-1])

        with pytest.raises(storage.DigestMismatch):
            services.finish_upload(upload_id=upload.id, at=NOON)
        send(upload)
        assert services.finish_upload(upload_id=upload.id, at=NOON).digest == sha256(DATA)

    def test_does_not_know_what_was_never_started(self):
        with pytest.raises(NotFound):
            services.finish_upload(upload_id=uuid4(), at=NOON)

    @pytest.mark.django_db(transaction=True)
    def test_many_at_once_make_one_artifact(self):
        project = make.project()
        uploads = [start(project, digest="") for _ in range(3)]
        for upload in uploads:
            send(upload)
        results: list[Artifact] = []

        def finish(upload: Upload) -> None:
            try:
                results.append(services.finish_upload(upload_id=upload.id, at=NOON))
            finally:
                connection.close()

        threads = [threading.Thread(target=finish, args=[upload]) for upload in uploads * 3]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

        assert len(results) == 9
        assert len(set(results)) == Artifact.objects.filter(project=project).count() == 1


class TestAdopt:
    def test_takes_what_is_stored(self):
        project = make.project()
        digest = stored(DATA)

        artifact = services.adopt(project=project, digest=digest, size=10, at=NOON)

        assert services.adopt(project=project, digest=digest, size=10, at=NOON) == artifact

    def test_refuses_what_is_not_there_or_is_another_size(self):
        project = make.project()

        with pytest.raises(storage.BytesMissing):
            services.adopt(project=project, digest=sha256(b"never sent"), size=10, at=NOON)
        with pytest.raises(storage.BytesDamaged):
            services.adopt(project=project, digest=stored(DATA), size=11, at=NOON)


class TestSweepUploads:
    def test_forgets_what_is_past_its_time_and_keeps_the_artifact(self, store):
        project = make.project()
        finished, half, fresh = start(project), start(project), start(project)
        send(finished)
        send(half, DATA[:3])
        send(fresh, DATA[:3])
        services.finish_upload(upload_id=finished.id, at=NOON)
        Upload.objects.filter(id=fresh.id).update(expires_at=NOON + timedelta(days=30))

        services.sweep_uploads(at=NOON + services.UPLOAD_LIFETIME)

        assert list(Upload.objects.all()) == [fresh]
        assert list(store.uploads()) == [fresh.id]
        assert Artifact.objects.filter(project=project).count() == 1
        assert storage.has(sha256(DATA))

    def test_removes_bytes_that_no_upload_speaks_of(self, store):
        incoming = store.receive(uuid4())
        incoming.close()

        services.sweep_uploads(at=NOON)

        assert list(store.uploads()) == []
