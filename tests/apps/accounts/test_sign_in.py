from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts import services
from apps.accounts.models import SignInAttempt, SignInLink, User
from apps.audit.models import Entry
from tests import make

pytestmark = pytest.mark.django_db


def sign_in(client: Client, username: str, password: str = make.PASSWORD) -> tuple[int, str]:
    body = {"username": username, "password": password}
    response = client.post("/api/v1/session", body, "application/json")
    return response.status_code, response.json().get("code", "")


class TestSession:
    def test_opens_with_name_and_password(self) -> None:
        ada = make.user("ada", password=make.PASSWORD)
        project = make.project("vision", owner=ada)
        client = Client()

        assert sign_in(client, "ada") == (200, "")

        assert client.get("/api/v1/session").json() == {
            "user": {
                "id": str(ada.id),
                "username": "ada",
                "is_operator": False,
                "language": "",
            },
            "projects": [
                {"id": str(project.id), "slug": "vision", "name": "vision", "role": "owner"}
            ],
        }

    def test_is_a_new_one_after_signing_in(self) -> None:
        make.user("ada", password=make.PASSWORD)
        client = Client()
        client.cookies["sessionid"] = "chosen-by-a-stranger"

        sign_in(client, "ada")

        assert client.cookies["sessionid"].value != "chosen-by-a-stranger"

    def test_is_noted_in_the_audit(self) -> None:
        make.user("ada", password=make.PASSWORD)

        sign_in(Client(), "ada")

        assert Entry.objects.get(action="session.open").detail == {"by": "password"}

    @pytest.mark.parametrize(
        ("username", "password"),
        [("ada", "wrong"), ("nobody", make.PASSWORD), ("ADA", make.PASSWORD)],
    )
    def test_refuses_a_wrong_name_as_it_does_a_wrong_password(
        self, username: str, password: str
    ) -> None:
        make.user("ada", password=make.PASSWORD)

        assert sign_in(Client(), username, password) == (401, "wrong_password")

    def test_refuses_who_was_shut_out(self) -> None:
        make.user("ada", password=make.PASSWORD)
        User.objects.update(is_active=False)

        assert sign_in(Client(), "ada") == (401, "wrong_password")

    def test_makes_a_guesser_wait(self) -> None:
        make.user("ada", password=make.PASSWORD)
        client = Client()

        for _ in range(services.ATTEMPTS_PER_NAME):
            assert sign_in(client, "ada", "wrong") == (401, "wrong_password")
        response = client.post(
            "/api/v1/session", {"username": "ada", "password": make.PASSWORD}, "application/json"
        )

        assert (response.status_code, response.json()["code"]) == (429, "too_many_sign_ins")
        assert response["Retry-After"] == "60"

    def test_makes_a_guesser_of_names_wait(self) -> None:
        client = Client()
        for number in range(services.ATTEMPTS_PER_ADDRESS):
            sign_in(client, f"name-{number}")

        assert sign_in(client, "another") == (429, "too_many_sign_ins")

    def test_forgets_wrong_passwords_after_the_right_one(self) -> None:
        make.user("ada", password=make.PASSWORD)
        client = Client()
        for _ in range(services.ATTEMPTS_PER_NAME - 1):
            sign_in(client, "ada", "wrong")

        assert sign_in(client, "ada") == (200, "")
        assert SignInAttempt.objects.count() == 0

    def test_closes(self) -> None:
        make.user("ada", password=make.PASSWORD)
        client = Client()
        sign_in(client, "ada")

        assert client.delete("/api/v1/session").status_code == 204
        assert client.get("/api/v1/session").status_code == 401

    def test_writes_only_with_the_pages_token(self) -> None:
        make.user("ada", password=make.PASSWORD)
        client = Client(enforce_csrf_checks=True)
        sign_in(client, "ada")

        without = client.post("/api/v1/projects", {"slug": "x"}, "application/json")
        token = client.cookies["csrftoken"].value
        with_it = client.post(
            "/api/v1/projects", {"slug": "x"}, "application/json", headers={"X-CSRFToken": token}
        )

        assert (without.status_code, without.json()["code"]) == (403, "csrf_refused")
        assert with_it.status_code == 201

    def test_takes_json_only_so_no_foreign_form_signs_anybody_in(self) -> None:
        make.user("ada", password=make.PASSWORD)
        form = {"username": "ada", "password": make.PASSWORD}

        assert Client().post("/api/v1/session", form).status_code == 415

    def test_remembers_the_language(self) -> None:
        headers = make.bearer(make.user())

        answer = Client().patch(
            "/api/v1/session", {"language": "zh-CN"}, "application/json", headers=headers
        )

        assert answer.json()["user"]["language"] == "zh-CN"


class TestPassword:
    def change(self, client: Client, current: str, password: str) -> tuple[int, str]:
        body = {"current": current, "password": password}
        answer = client.put("/api/v1/session/password", body, "application/json")
        return answer.status_code, answer.json()["code"] if answer.content else ""

    def test_changes_and_keeps_this_session_only(self) -> None:
        make.user("ada", password=make.PASSWORD)
        here, elsewhere = Client(), Client()
        sign_in(here, "ada")
        sign_in(elsewhere, "ada")

        assert self.change(here, make.PASSWORD, "quite another phrase") == (204, "")

        assert here.get("/api/v1/session").status_code == 200
        assert elsewhere.get("/api/v1/session").status_code == 401
        assert sign_in(Client(), "ada", "quite another phrase") == (200, "")

    def test_needs_the_present_one(self) -> None:
        make.user("ada", password=make.PASSWORD)
        client = Client()
        sign_in(client, "ada")

        assert self.change(client, "guess", "quite another phrase") == (401, "wrong_password")

    def test_is_chosen_freely_by_who_came_in_by_link(self) -> None:
        client = Client()
        client.get(services.create_sign_in_link(user=make.user("ada"), at=timezone.now()))

        assert self.change(client, "", "quite another phrase") == (204, "")

    def test_refuses_a_weak_one(self) -> None:
        client = Client()
        client.get(services.create_sign_in_link(user=make.user("ada"), at=timezone.now()))

        assert self.change(client, "", "password") == (422, "password_too_weak")


class TestSignInLink:
    def test_signs_in_once(self) -> None:
        path = services.create_sign_in_link(user=make.user("ada"), at=timezone.now())
        client = Client()

        first, second = client.get(path), Client().get(path)

        assert (first.status_code, first["Location"]) == (302, "/")
        assert client.get("/api/v1/session").json()["user"]["username"] == "ada"
        assert second.status_code == 404
        assert "used already" in second.content.decode()

    def test_expires(self) -> None:
        path = services.create_sign_in_link(
            user=make.user(), at=timezone.now() - services.LINK_LIFETIME
        )

        assert Client().get(path).status_code == 404

    def test_keeps_no_secret(self) -> None:
        path = services.create_sign_in_link(user=make.user(), at=timezone.now())

        assert path.removeprefix("/sign-in/") not in str(SignInLink.objects.values_list())

    def test_says_no_in_the_readers_language(self) -> None:
        answer = Client().get("/sign-in/nothing", headers={"Accept-Language": "zh-CN"})

        assert "该链接已被使用或已过期" in answer.content.decode()


class TestForgetWaysIn:
    def test_drops_what_is_over(self) -> None:
        now = timezone.now()
        services.create_sign_in_link(user=make.user(), at=now - timedelta(days=3))
        services.create_sign_in_link(user=make.user(), at=now)

        services.forget_ways_in(before=now - timedelta(hours=1))

        assert SignInLink.objects.count() == 1


class TestPeople:
    def add(self, **body: object) -> tuple[int, dict[str, object]]:
        headers = make.bearer(make.user(is_operator=True))
        answer = Client().post("/api/v1/users", body, "application/json", headers=headers)
        return answer.status_code, answer.json()

    def test_are_added_by_an_operator_and_come_in_by_link(self) -> None:
        status, body = self.add(username="grace")

        assert status == 201
        client = Client()
        client.get("/" + str(body["sign_in_url"]).split("/", 3)[3])
        assert client.get("/api/v1/session").json()["user"]["username"] == "grace"

    def test_get_another_link_when_they_have_lost_the_way_in(self) -> None:
        grace = make.user("grace")
        headers = make.bearer(make.user(is_operator=True))

        made = Client().post(f"/api/v1/users/{grace.id}/sign-in-link", headers=headers)

        client = Client()
        client.get("/" + made.json()["sign_in_url"].split("/", 3)[3])
        assert client.get("/api/v1/session").json()["user"]["username"] == "grace"

    def test_have_names_of_their_own(self) -> None:
        make.user("grace")

        status, body = self.add(username="grace")

        assert (status, body["code"]) == (409, "username_taken")

    @pytest.mark.parametrize("name", ["", "a b", "x" * 151, "<script>"])
    def test_have_names_that_can_be_written(self, name: str) -> None:
        assert self.add(username=name)[0] == 400
