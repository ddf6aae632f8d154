"""The console's page and its parts, as a browser asks for them."""

import pytest


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
