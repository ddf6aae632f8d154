import hashlib
import json
import threading
from uuid import uuid4

import pytest
from django.db import connection

from agents.protocol.base import Reason
from agents.protocol.results import Profile
from agents.protocol.specs import FileRef
from apps.artifacts import filesets
from apps.artifacts.names import NameRefused
from apps.audit.models import Entry
from apps.common.errors import DomainError, NotFound
from apps.datasets import services
from apps.datasets.models import Dataset, DatasetVersion
from tests import make
from tests.make import NOON

pytestmark = pytest.mark.django_db


def ref(project, path, data=b"x"):
    artifact = make.artifact(project, data)
    return FileRef(path=path, digest=artifact.digest, size=artifact.size)


def publish(project, files=None, *, name="digits", user=None, **more):
    files = [ref(project, "a.csv")] if files is None else files
    actor = (user or make.user()).actor
    return services.publish_version(
        project=project, dataset_name=name, files=files, user=user, actor=actor, at=NOON, **more
    )


@pytest.fixture
def published(monkeypatch):
    events: list[object] = []
    monkeypatch.setattr(services, "publish", events.append)
    return events


class TestPublishVersion:
    def test_makes_an_immutable_version_that_waits_for_its_import(self, published):
        project, user = make.project(), make.user()
        files = [ref(project, "b/2", b"two"), ref(project, "a/1", b"one"), ref(project, "ab", b"")]

        version = publish(project, files, user=user, description="what it is")

        assert (version.number, version.state, version.parent) == (1, "importing", None)
        assert [row["path"] for row in version.files] == ["a/1", "ab", "b/2"]
        assert (version.size, version.file_count, version.created_by) == (6, 3, user)
        assert version.dataset.description == "what it is"
        assert [(e.name, e.version_id, e.topics) for e in published] == [
            ("dataset.published", version.id, [f"project.{project.id}"])
        ]
        entry = Entry.objects.get(action="dataset.publish")
        assert (entry.actor_id, entry.project_id) == (user.id, project.id)

    def test_anybody_can_repeat_the_digest_of_its_manifest(self):
        project = make.project()

        version = publish(project, [ref(project, "数据/b"), ref(project, "a", b"1")])

        canonical = json.dumps(
            version.files, sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
        assert version.manifest_sha256 == hashlib.sha256(canonical.encode()).hexdigest()

    def test_the_same_files_in_any_order_make_no_new_version(self, published):
        project = make.project()
        files = [ref(project, "a", b"1"), ref(project, "b", b"2")]

        first = publish(project, files)
        again = publish(project, files[::-1])

        assert again == first
        assert len(published) == 1

    def test_the_same_files_are_tried_again_after_a_failed_import(self):
        project = make.project()
        first = publish(project)
        services.fail_import(version_id=first.id, reason=Reason(code="x"), at=NOON)

        again = publish(project)

        assert (again.number, again.state) == (2, "importing")

    def test_other_files_make_the_next_version(self):
        project = make.project()
        first = publish(project)

        second = publish(project, [ref(project, "a.csv", b"y")])

        assert (second.dataset, second.number, second.parent) == (first.dataset, 2, first)

    def test_bytes_of_another_project_cannot_be_published(self):
        theirs = ref(make.project(), "a.csv")

        with pytest.raises(filesets.ArtifactUnknown):
            publish(make.project(), [theirs])
        assert not Dataset.objects.exists()

    def test_a_wrong_size_is_no_way_in(self):
        project = make.project()
        good = ref(project, "a.csv")

        with pytest.raises(filesets.ArtifactUnknown):
            publish(project, [FileRef(path="a.csv", digest=good.digest, size=good.size + 1)])

    @pytest.mark.parametrize("path", ["../a", "/a", "a\\b", "a\0", ""])
    def test_refuses_paths_that_lead_elsewhere(self, path):
        project = make.project()

        with pytest.raises(DomainError) as refused:
            publish(project, [ref(project, path)])
        assert refused.value.code.startswith("path_")

    def test_stores_the_composed_form_of_a_name(self):
        project = make.project()

        version = publish(project, [ref(project, "e\u0301")])

        assert version.files[0]["path"] == "é"

    def test_refuses_a_bad_name(self):
        with pytest.raises(NameRefused):
            publish(make.project(), name="a/b")

    @pytest.mark.django_db(transaction=True)
    def test_many_at_once_are_numbered_one_after_another(self):
        project, user = make.project(), make.user()
        sets = [[ref(project, "a", bytes([n]))] for n in range(6)]

        def run(files):
            try:
                publish(project, files, user=user)
            finally:
                connection.close()

        threads = [threading.Thread(target=run, args=[files]) for files in sets]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

        numbers = DatasetVersion.objects.order_by("number").values_list("number", flat=True)
        assert list(numbers) == [1, 2, 3, 4, 5, 6]


class TestCompleteImport:
    def test_makes_the_version_ready_with_what_was_found(self, published):
        project = make.project()
        version = publish(project)
        picture = make.artifact(project, b"png")
        profile = Profile(
            kind="images_by_class", samples=3, counts={"0": 3}, thumbnails={"0": ["t/0.png"]}
        )

        services.complete_import(
            version_id=version.id,
            profile=profile,
            thumbnails={"t/0.png": picture.digest},
            at=NOON,
        )

        version.refresh_from_db()
        assert (version.state, version.kind, version.settled_at) == (
            "ready",
            "images_by_class",
            NOON,
        )
        assert version.profile["counts"] == {"0": 3}
        assert version.thumbnails == [{"path": "t/0.png", "digest": picture.digest, "size": 3}]
        assert (published[-1].name, published[-1].state) == ("dataset.moved", "ready")

    def test_late_and_repeated_words_change_nothing(self, published):
        version = publish(make.project())
        services.complete_import(
            version_id=version.id, profile=Profile(kind="table", samples=1), thumbnails={}, at=NOON
        )
        said = len(published)

        services.fail_import(version_id=version.id, reason=Reason(code="late"), at=NOON)
        services.complete_import(
            version_id=version.id, profile=Profile(kind="files", samples=2), thumbnails={}, at=NOON
        )

        version.refresh_from_db()
        assert (version.state, version.kind, version.reason) == ("ready", "table", None)
        assert len(published) == said

    def test_keeps_a_profile_with_characters_that_the_database_refuses(self):
        version = publish(make.project())
        profile = Profile(kind="table", samples=1, preview=[{"a\0": "b\0", "n": float("nan")}])

        services.complete_import(version_id=version.id, profile=profile, thumbnails={}, at=NOON)

        version.refresh_from_db()
        assert version.profile["preview"] == [{"a\ufffd": "b\ufffd", "n": None}]

    def test_refuses_thumbnails_whose_bytes_the_project_does_not_hold(self):
        version = publish(make.project())
        theirs = make.artifact(make.project(), b"theirs")

        with pytest.raises(filesets.ArtifactUnknown):
            services.complete_import(
                version_id=version.id,
                profile=Profile(kind="images", samples=1),
                thumbnails={"t.png": theirs.digest},
                at=NOON,
            )


class TestFailImport:
    def test_keeps_the_reason(self, published):
        version = publish(make.project())

        services.fail_import(
            version_id=version.id,
            reason=Reason(code="archive_unreadable", params={"archive": "a\0.zip"}),
            at=NOON,
        )

        version.refresh_from_db()
        assert version.state == "failed"
        assert version.reason == {
            "code": "archive_unreadable",
            "params": {"archive": "a\ufffd.zip"},
        }
        assert published[-1].state == "failed"

    def test_does_not_know_what_never_was(self):
        with pytest.raises(NotFound):
            services.fail_import(version_id=uuid4(), reason=Reason(code="x"), at=NOON)
