"""The console's page and its parts, as a browser asks for them."""

import pytest

from tests import make


@pytest.fixture
def page(settings, tmp_path):
    (tmp_path / "index.html").write_text("<!doctype html><title>Datahall</title>")
    settings.FRONTEND_DIST = tmp_path


@pytest.mark.usefixtures("page")
class TestConsole:
    @pytest.mark.parametrize("path", ["/", "/projects/default", "/sign-in"])
    def test_is_one_page_for_every_address_of_its_own(self, client, path):
        answer = client.get(path)

        assert answer.status_code == 200
        assert b"<title>Datahall</title>" in answer.content
        assert answer.cookies["csrftoken"].value

    def test_lets_no_foreign_script_run(self, client):
        policy = client.get("/")["Content-Security-Policy"]

        assert "default-src 'self'" in policy
        assert "script-src" not in policy  # nothing loosens it for scripts

    @pytest.mark.parametrize("path", ["/api/v1/nothing", "/assets/index-old.js", "/static/x.css"])
    def test_is_not_the_answer_to_what_is_missing(self, client, path):
        """A page in the place of a script would break an old tab with a riddle."""
        assert client.get(path).status_code == 404


def test_says_that_it_is_not_built(client, settings, tmp_path):
    settings.FRONTEND_DIST = tmp_path

    answer = client.get("/")

    assert answer.status_code == 503
    assert b"./dev up" in answer.content


@pytest.mark.django_db
class TestHeaders:
    """What every answer has, refusals too."""

    @pytest.mark.parametrize(
        "path",
        ["/healthz", "/api/v1/session", "/api/v1/nothing", "/agent/v1/desired", "/sign-in/x", "/"],
    )
    def test_keep_a_browser_from_doing_anything_with_it(self, client, path):
        answer = client.get(path)

        assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
        assert "script-src" not in answer["Content-Security-Policy"]
        assert answer["X-Frame-Options"] == "DENY"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Referrer-Policy"] == "same-origin"
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "camera=()" in answer["Permissions-Policy"]

    @pytest.mark.parametrize("path", ["/api/v1/session", "/api/v1/nothing", "/agent/v1/desired"])
    def test_keep_data_out_of_the_cache(self, client, path):
        assert client.get(path)["Cache-Control"] == "no-store"


@pytest.mark.django_db
class TestReference:
    def test_has_no_script_in_the_page(self, client):
        person = make.user()
        client.force_login(person)

        page = client.get("/api/v1/docs/")
        script = client.get("/api/v1/docs/?script=")

        assert b"<script>" not in page.content
        assert b'src="/api/v1/docs/?script="' in page.content
        assert "script-src" not in page["Content-Security-Policy"]
        assert "default-src 'self'" in page["Content-Security-Policy"]
        assert script["Content-Type"].startswith("application/javascript")
