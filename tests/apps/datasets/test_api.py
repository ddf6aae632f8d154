import httpx
import pytest
from django.test import Client

from agents.protocol.base import Reason
from agents.protocol.results import Profile
from apps.artifacts.models import Upload
from apps.datasets import services
from apps.projects.models import Role
from tests import make
from tests.apps.artifacts.server import serving
from tests.make import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def member():
    return make.user(username="ada")


@pytest.fixture
def project(member):
    project = make.project()
    make.member(project, member)
    return project


@pytest.fixture
def api(member):
    return Client(headers=make.bearer(member))


def uploaded(project, member, data):
    artifact = make.artifact(project, data)
    upload = Upload.objects.create(
        project=project,
        holder=member.id,
        size=len(data),
        artifact=artifact,
        finished_at=NOON,
        expires_at=NOON,
    )
    return str(upload.id)


def publish(api, project, files, **more):
    body = {"name": "digits", "files": files, **more}
    path = f"/api/v1/projects/{project.slug}/datasets"
    return api.post(path, body, content_type="application/json")


class TestDatasets:
    def test_uploads_become_a_version_that_can_be_read_back(self, api, project, member):
        made = publish(
            api,
            project,
            [
                {"upload": uploaded(project, member, b"one"), "path": "train/0/1.png"},
                {"upload": uploaded(project, member, b"two"), "path": "train/1/2.png"},
            ],
            description="ten digits",
        )

        assert made.status_code == 201
        dataset = made.json()
        assert (dataset["name"], dataset["description"]) == ("digits", "ten digits")
        assert dataset["versions"] == [dataset["latest"]]
        latest = dataset["latest"]
        assert (latest["number"], latest["state"], latest["size"]) == (1, "importing", 6)
        assert (latest["file_count"], latest["created_by"]) == (2, "ada")
        base = f"/api/v1/projects/{project.slug}/datasets"
        assert api.get(f"{base}/digits").json() == api.get(f"{base}/{dataset['id']}").json()
        version = api.get(f"{base}/digits/versions/1").json()
        assert [file["path"] for file in version["files"]] == ["train/0/1.png", "train/1/2.png"]
        with serving() as url:
            assert httpx.get(url + version["files"][1]["url"]).content == b"two"

    def test_the_list_holds_each_with_its_latest_version(self, api, project, member):
        for data in (b"1", b"2"):
            publish(api, project, [{"upload": uploaded(project, member, data), "path": "a"}])
        file = {"upload": uploaded(project, member, b"3"), "path": "b"}
        publish(api, project, [file], name="other")

        rows = api.get(f"/api/v1/projects/{project.slug}/datasets").json()["results"]

        assert [(row["name"], row["latest"]["number"]) for row in rows] == [
            ("other", 1),
            ("digits", 2),
        ]

    def test_an_import_shows_with_pictures_that_can_be_fetched(self, api, project, member):
        file = {"upload": uploaded(project, member, b"zip"), "path": "digits.zip"}
        version = publish(api, project, [file]).json()["latest"]
        picture = make.artifact(project, b"\x89PNG")
        profile = Profile(kind="images", samples=1, thumbnails={"7": ["t/7.png", "t/lost.png"]})
        services.complete_import(
            version_id=version["id"],
            profile=profile,
            thumbnails={"t/7.png": picture.digest},
            at=NOON,
        )

        latest = api.get(f"/api/v1/projects/{project.slug}/datasets/digits").json()["latest"]

        assert (latest["state"], latest["kind"]) == ("ready", "images")
        assert latest["profile"]["samples"] == 1
        assert "thumbnails" not in latest["profile"]
        [url] = latest["thumbnails"]["7"]
        with serving() as base:
            answer = httpx.get(base + url)
        assert answer.content == b"\x89PNG"
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["content-disposition"].startswith("inline")

    def test_a_failed_import_says_why_in_the_readers_language(self, api, project, member):
        file = {"upload": uploaded(project, member, b"zip"), "path": "digits.zip"}
        version = publish(api, project, [file]).json()["latest"]
        services.fail_import(
            version_id=version["id"], reason=Reason(code="nothing_to_import"), at=NOON
        )
        path = f"/api/v1/projects/{project.slug}/datasets/digits"

        english = api.get(path).json()["latest"]["reason"]
        chinese = api.get(path, headers={"Accept-Language": "zh-CN"}).json()["latest"]["reason"]

        assert english["code"] == chinese["code"] == "nothing_to_import"
        assert english["text"] != chinese["text"]

    def test_says_what_is_wrong_with_the_files(self, api, project, member):
        upload = uploaded(project, member, b"x")
        unfinished = Upload.objects.create(
            project=project, holder=member.id, size=1, expires_at=NOON
        )
        theirs = uploaded(make.project(), member, b"theirs")

        def code(*files):
            answer = publish(api, project, list(files))
            return answer.status_code, answer.json()["code"]

        assert code({"upload": upload, "path": "../a"}) == (422, "path_steps_out")
        assert code({"upload": upload, "path": "a"}, {"upload": upload, "path": "A"}) == (
            422,
            "path_clash",
        )
        assert code({"upload": str(unfinished.id), "path": "a"}) == (409, "upload_unfinished")
        assert code({"upload": theirs, "path": "a"}) == (422, "upload_unknown")
        assert code() == (400, "input_refused")

    def test_refuses_a_viewer_and_knows_no_stranger(self, api, project, member):
        file = {"upload": uploaded(project, member, b"x"), "path": "a"}
        publish(api, project, [file])
        viewer, stranger = make.user(), make.user()
        make.member(project, viewer, Role.VIEWER)
        path = f"/api/v1/projects/{project.slug}/datasets"
        watching = Client(headers=make.bearer(viewer))

        assert watching.get(f"{path}/digits").status_code == 200
        assert publish(watching, project, [file]).status_code == 403
        outside = Client(headers=make.bearer(stranger))
        assert outside.get(f"{path}/digits").status_code == 404
        assert publish(outside, project, [file]).status_code == 404

    @pytest.mark.parametrize(
        "ref",
        ["nothing", "nothing/versions/1", f"nothing/versions/{10**30}", "%2e%2e", "a%00b", "数据"],
    )
    def test_what_is_not_there_answers_not_found(self, api, project, ref):
        answer = api.get(f"/api/v1/projects/{project.slug}/datasets/{ref}")

        assert answer.status_code == 404

    @pytest.mark.parametrize("number", [0, 2, 10**9, 10**30])
    def test_a_version_that_is_not_there_answers_not_found(self, api, project, member, number):
        publish(api, project, [{"upload": uploaded(project, member, b"x"), "path": "a"}])

        answer = api.get(f"/api/v1/projects/{project.slug}/datasets/digits/versions/{number}")

        assert (answer.status_code, answer.json()["code"]) == (404, "dataset_version_unknown")


class TestExamples:
    def path(self, project, name="digits"):
        return f"/api/v1/projects/{project.slug}/examples/{name}"

    def test_the_digits_become_a_dataset_once(self, api, project, settings):
        made = api.post(self.path(project))

        assert made.status_code == 201
        latest = made.json()["latest"]
        digits = settings.EXAMPLES_DIR / "digits" / "digits.zip"
        assert (latest["number"], latest["size"]) == (1, digits.stat().st_size)
        version = api.get(f"/api/v1/projects/{project.slug}/datasets/digits/versions/1").json()
        assert [file["path"] for file in version["files"]] == ["digits.zip"]
        again = api.post(self.path(project))
        assert (again.status_code, again.json()["latest"]["id"]) == (201, latest["id"])

    def test_an_installation_without_examples_says_so(self, api, project, settings, tmp_path):
        settings.EXAMPLES_DIR = tmp_path / "nowhere"

        refused = api.post(self.path(project))

        assert (refused.status_code, refused.json()["code"]) == (404, "example_missing")
        assert api.get(f"/api/v1/projects/{project.slug}/datasets").json()["results"] == []

    def test_there_is_no_example_of_another_name(self, api, project):
        assert api.post(self.path(project, "cats")).status_code == 404

    def test_somebody_who_only_looks_may_not(self, project):
        viewer = make.user(username="vera")
        make.member(project, viewer, Role.VIEWER)

        assert Client(headers=make.bearer(viewer)).post(self.path(project)).status_code == 403
