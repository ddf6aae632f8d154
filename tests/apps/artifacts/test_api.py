from uuid import uuid4

import httpx
import pytest
from django.test import Client

from apps.projects.models import Role
from tests import make
from tests.apps.artifacts.server import serving, sha256

pytestmark = pytest.mark.django_db
DATA = b"what somebody dropped on the page"


@pytest.fixture
def member():
    return make.user()


@pytest.fixture
def project(member):
    project = make.project()
    make.member(project, member)
    return project


@pytest.fixture
def api(member):
    return Client(headers=make.bearer(member))


def announce(api, project, **more):
    body = {"filename": "a.csv", "size": len(DATA), "digest": sha256(DATA), **more}
    path = f"/api/v1/projects/{project.slug}/uploads"
    return api.post(path, body, content_type="application/json")


class TestUploads:
    def test_bytes_are_announced_sent_finished_and_fetched(self, api, project):
        upload = announce(api, project, digest="").json()
        path = f"/api/v1/projects/{project.slug}/uploads/{upload['id']}"
        assert (upload["offset"], upload["finished"]) == (0, False)
        early = api.post(f"{path}/finish")
        assert (early.status_code, early.json()["code"]) == (409, "upload_incomplete")
        assert "33" in early.json()["detail"]

        with serving() as url, httpx.Client(base_url=url) as web:
            web.patch(upload["url"], headers={"Upload-Offset": "0"}, content=DATA[:9])
            assert api.get(path).json()["offset"] == 9
            web.patch(upload["url"], headers={"Upload-Offset": "9"}, content=DATA[9:])
        finished = api.post(f"{path}/finish")

        assert finished.status_code == 200
        assert finished.json()["digest"] == sha256(DATA)
        assert (finished.json()["finished"], finished.json()["url"]) == (True, None)
        assert api.post(f"{path}/finish").json() == finished.json()

    def test_bytes_that_the_project_holds_need_not_be_sent(self, api, project):
        make.artifact(project, DATA)

        answer = announce(api, project)

        assert answer.status_code == 201
        assert (answer.json()["finished"], answer.json()["offset"]) == (True, len(DATA))

    def test_the_same_key_makes_one_upload(self, api, project):
        headers = {"Idempotency-Key": "one"}
        body = {"filename": "a", "size": 1}
        path = f"/api/v1/projects/{project.slug}/uploads"

        first, again = (
            api.post(path, body, content_type="application/json", headers=headers).json()
            for _ in range(2)
        )

        assert first["id"] == again["id"]

    @pytest.mark.parametrize(
        ("wrong", "status"),
        [
            ({"size": -1}, 400),
            ({"size": "x"}, 400),
            ({"size": 2**70}, 422),
            ({"digest": "x" * 64}, 422),
            ({"digest": "x" * 65}, 400),
            ({"filename": "a\0"}, 400),
        ],
    )
    def test_refuses(self, api, project, wrong, status):
        assert announce(api, project, **wrong).status_code == status

    def test_a_strangers_project_is_not_there(self, api):
        assert announce(api, make.project()).status_code == 404

    def test_a_viewer_may_not_send(self, project):
        viewer = make.user()
        make.member(project, viewer, Role.VIEWER)

        assert announce(Client(headers=make.bearer(viewer)), project).status_code == 403

    def test_an_upload_is_its_holders_alone(self, api, project):
        upload = announce(api, project).json()
        colleague = make.user()
        make.member(project, colleague)
        theirs = Client(headers=make.bearer(colleague))
        path = f"/api/v1/projects/{project.slug}/uploads/{upload['id']}"

        assert theirs.get(path).status_code == 404
        assert theirs.post(f"{path}/finish").status_code == 404

    def test_an_upload_of_another_project_is_not_there(self, api, project, member):
        other = make.project()
        make.member(other, member)
        upload = announce(api, project).json()

        assert api.get(f"/api/v1/projects/{other.slug}/uploads/{upload['id']}").status_code == 404
        assert api.get(f"/api/v1/projects/{other.slug}/uploads/{uuid4()}").status_code == 404
