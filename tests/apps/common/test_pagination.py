import pytest
from django.test import Client

from tests import make

pytestmark = pytest.mark.django_db
LIST = "/api/v1/projects"


@pytest.fixture
def owner():
    return make.user()


@pytest.fixture
def get(owner):
    headers = make.bearer(owner)
    return lambda query="", path=LIST: Client().get(f"{path}{query}", headers=headers)


def slugs(answer):
    return [row["slug"] for row in answer.json()["results"]]


class TestKeysetPagination:
    def test_gives_every_row_once(self, owner, get) -> None:
        for number in range(7):
            make.project(f"p{number}", owner=owner)

        seen, query = [], "?limit=3"
        while query:
            page = get(query)
            seen.append(slugs(page))
            cursor = page.json()["next"]
            query = f"?limit=3&cursor={cursor}" if cursor else ""

        assert seen == [["p0", "p1", "p2"], ["p3", "p4", "p5"], ["p6"]]
        assert page.json()["previous"] is None

    def test_shows_no_row_twice_when_others_arrive(self, owner, get) -> None:
        for slug in ("b", "d", "f"):
            make.project(slug, owner=owner)
        first = get("?limit=2")
        make.project("a", owner=owner)
        make.project("e", owner=owner)

        second = get(f"?limit=2&cursor={first.json()['next']}")

        assert (slugs(first), slugs(second)) == (["b", "d"], ["e", "f"])

    def test_tells_rows_of_the_same_moment_apart(self, owner, get) -> None:
        project = make.project("vision", owner=owner)
        for _ in range(4):
            make.member(project)
        moment = project.memberships.first().created_at
        project.memberships.update(created_at=moment)
        path = "/api/v1/projects/vision/members"

        first = get("?limit=3", path).json()
        second = get(f"?limit=3&cursor={first['next']}", path).json()

        names = [row["username"] for row in first["results"] + second["results"]]
        assert len(set(names)) == len(names) == 5

    def test_ends_when_the_rows_do(self, owner, get) -> None:
        for slug in ("a", "b"):
            make.project(slug, owner=owner)

        assert get("?limit=2").json()["next"] is None

    @pytest.mark.parametrize("limit", ["0", "-1", "201", "1000000000", "x", "", "1.5", "²"])
    def test_refuses_a_limit(self, get, limit: str) -> None:
        answer = get(f"?limit={limit}")

        assert (answer.status_code, answer.json()["code"]) == (400, "limit_refused")

    @pytest.mark.parametrize("cursor", ["x", "WzFd", "WzFd:1abc:def", "%00", "é"])
    def test_refuses_a_cursor_that_it_never_gave(self, get, cursor: str) -> None:
        answer = get(f"?cursor={cursor}")

        assert (answer.status_code, answer.json()["code"]) == (400, "cursor_refused")

    def test_refuses_the_cursor_of_another_list(self, owner, get) -> None:
        make.project("a", owner=owner)
        make.project("b", owner=owner)
        cursor = get("?limit=1").json()["next"]

        answer = get(f"?cursor={cursor}", "/api/v1/projects/a/members")

        assert (answer.status_code, answer.json()["code"]) == (400, "cursor_refused")
