import os
from uuid import uuid4

import pytest

from apps.artifacts import storage
from tests.apps.artifacts.server import sha256, stored

DATA = b"what is stored" * 100


def send(store, data, upload=None):
    upload = upload or uuid4()
    incoming = store.receive(upload)
    incoming.write(data)
    incoming.close()
    return upload


class TestSeal:
    def test_makes_the_bytes_visible_and_leaves_no_part(self, store, tmp_path):
        upload = send(store, DATA)

        sealed = store.seal(upload, size=len(DATA), declared=sha256(DATA))

        assert sealed == storage.Sealed(sha256(DATA), len(DATA))
        assert store.read_small(sealed.digest, 10_000) == DATA
        assert [path.suffix for path in (tmp_path / "uploads").iterdir()] == [".done"]

    def test_gives_the_same_answer_again(self, store):
        upload = send(store, DATA)
        first = store.seal(upload, size=len(DATA), declared="")

        assert store.seal(upload, size=len(DATA), declared="") == first

    def test_refuses_until_all_bytes_are_there(self, store):
        upload = send(store, DATA[:10])

        with pytest.raises(storage.UploadIncomplete) as refused:
            store.seal(upload, size=len(DATA), declared="")
        assert refused.value.params == {"offset": 10, "size": len(DATA)}

    def test_refuses_while_somebody_writes(self, store):
        incoming = store.receive(upload := uuid4())

        with pytest.raises(storage.UploadBusy):
            store.seal(upload, size=0, declared="")
        incoming.close()
        assert store.seal(upload, size=0, declared="").size == 0

    def test_a_crash_after_the_check_is_made_good_by_whoever_looks(self, store, monkeypatch):
        upload = send(store, DATA)
        with monkeypatch.context() as crashing:
            crashing.setattr(storage.LocalStore, "_adopt_part", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                store.seal(upload, size=len(DATA), declared="")
        assert store.size(sha256(DATA)) is None

        assert store.offset(upload) == len(DATA)
        assert store.read_small(sha256(DATA), 10_000) == DATA

    def test_mends_a_damaged_copy(self, store, tmp_path):
        digest = stored(DATA)
        blob = tmp_path / "blobs" / digest[:2] / digest
        blob.write_bytes(b"rotten")

        assert stored(DATA) == digest
        assert store.read_small(digest, 10_000) == DATA

    def test_an_upload_whose_bytes_the_store_has_lost_starts_over(self, store, tmp_path):
        upload = send(store, DATA)
        digest = store.seal(upload, size=len(DATA), declared="").digest
        (tmp_path / "blobs" / digest[:2] / digest).unlink()

        assert store.offset(upload) == 0
        send(store, DATA, upload)
        assert store.seal(upload, size=len(DATA), declared=digest).digest == digest


class TestReadSmall:
    def test_refuses_more_than_asked_for(self, store):
        with pytest.raises(ValueError, match="at most"):
            storage.read_small(stored(DATA), 10)

    def test_never_gives_bytes_that_have_changed(self, store, tmp_path):
        digest = stored(DATA)
        (tmp_path / "blobs" / digest[:2] / digest).write_bytes(b"!" * len(DATA))

        with pytest.raises(storage.BytesDamaged):
            storage.read_small(digest, 10_000)

    def test_follows_no_link(self, store, tmp_path):
        digest = stored(DATA)
        blob = tmp_path / "blobs" / digest[:2] / digest
        blob.unlink()
        blob.symlink_to("/etc/passwd")

        with pytest.raises(storage.BytesMissing):
            storage.read_small(digest, 10_000)

    @pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, "0" * 63])
    def test_a_digest_is_never_a_path(self, store, digest):
        with pytest.raises(ValueError, match="sha256"):
            storage.has(digest)


class TestDiscard:
    def test_forgets_the_upload_and_keeps_what_was_sealed(self, store, tmp_path):
        upload = send(store, DATA)
        store.seal(upload, size=len(DATA), declared="")
        other = send(store, b"half")

        for each in (upload, other):
            store.discard(each)

        assert list(store.uploads()) == []
        assert os.listdir(tmp_path / "uploads") == []
        assert storage.has(sha256(DATA))

    def test_leaves_an_upload_alone_that_somebody_writes_to(self, store):
        incoming = store.receive(upload := uuid4())

        store.discard(upload)

        assert list(store.uploads()) == [upload]
        incoming.close()
