import json
import threading
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.audit.models import Entry
from apps.common.actors import SYSTEM
from apps.common.ids import uuid7
from apps.projects import selectors, services
from apps.projects.models import Membership, Project, Role
from tests import make


def names_of(answer: dict[str, list[dict[str, str]]], key: str) -> list[str]:
    return [row[key] for row in answer["results"]]


@pytest.mark.django_db
class TestEnsureDefault:
    def test_makes_organisation_and_project_once(self) -> None:
        ada = make.user()

        first = services.ensure_default(owner=ada, at=timezone.now())
        second = services.ensure_default(owner=make.user(), at=timezone.now())

        assert first == second
        assert (first.slug, first.organisation.slug) == ("default", "default")
        assert [m.user for m in Membership.objects.all()] == [ada]


@pytest.mark.django_db
class TestProjects:
    def test_are_owned_by_who_makes_them(self) -> None:
        headers = make.bearer(make.user())

        made = Client().post(
            "/api/v1/projects", {"slug": "vision"}, "application/json", headers=headers
        )

        assert made.status_code == 201
        assert Client().get("/api/v1/session", headers=headers).json()["projects"] == [
            {"id": made.json()["id"], "slug": "vision", "name": "vision", "role": "owner"}
        ]

    def test_are_listed_to_their_members_only(self) -> None:
        ada = make.user()
        make.project("mine", owner=ada)
        make.project("theirs", owner=make.user())

        listed = Client().get("/api/v1/projects", headers=make.bearer(ada)).json()

        assert names_of(listed, "slug") == ["mine"]

    def test_have_slugs_of_their_own(self) -> None:
        make.project("vision", owner=make.user())

        refused = Client().post(
            "/api/v1/projects",
            {"slug": "vision"},
            "application/json",
            headers=make.bearer(make.user()),
        )

        assert (refused.status_code, refused.json()["code"]) == (409, "slug_taken")

    @pytest.mark.parametrize(
        "slug", ["", "-a", "a-", "A", "a b", "a/b", "..", "a_b", "ä", "a" * 65]
    )
    def test_have_slugs_that_fit_everywhere(self, slug: str) -> None:
        refused = Client().post(
            "/api/v1/projects",
            {"slug": slug},
            "application/json",
            headers=make.bearer(make.user()),
        )

        assert refused.status_code == 400


@pytest.mark.django_db
class TestWhoMayComeIn:
    def test_a_stranger_cannot_tell_a_project_from_none(self) -> None:
        make.project("secret", owner=make.user())
        headers = make.bearer(make.user())

        there = Client().get("/api/v1/projects/secret/members", headers=headers)
        nowhere = Client().get("/api/v1/projects/nothing/members", headers=headers)

        assert there.status_code == nowhere.status_code == 404
        assert there.content == nowhere.content

    def test_an_operator_is_a_stranger_too(self) -> None:
        make.project("secret", owner=make.user())
        headers = make.bearer(make.user(is_operator=True))

        assert Client().get("/api/v1/projects/secret", headers=headers).status_code == 404

    def test_a_member_is_told_which_role_it_takes(self) -> None:
        project = make.project("vision", owner=make.user())
        headers = make.bearer(make.member(project, role=Role.VIEWER))

        refused = Client().get("/api/v1/projects/vision/audit", headers=headers)

        assert (refused.status_code, refused.json()["code"]) == (403, "role_needed")
        assert refused.json()["params"] == {"role": "maintainer", "yours": "viewer"}

    def test_a_run_sees_its_own_project_as_a_member(self) -> None:
        project, other = make.project("mine"), make.project("other")
        headers = make.run_bearer(project)

        assert Client().get("/api/v1/projects/mine", headers=headers).status_code == 200
        assert Client().get("/api/v1/projects/mine/audit", headers=headers).status_code == 403
        assert Client().get("/api/v1/projects/other", headers=headers).status_code == 404
        assert other.slug == "other"

    def test_who_was_taken_out_sees_nothing(self) -> None:
        owner = make.user()
        project = make.project("vision", owner=owner)
        headers = make.bearer(member := make.member(project))

        services.remove_member(
            project=project, user_id=member.id, by=Role.OWNER, actor=owner.actor, at=timezone.now()
        )

        assert Client().get("/api/v1/projects/vision", headers=headers).status_code == 404

    @pytest.mark.parametrize(
        ("held", "wanted", "may"),
        [
            (Role.VIEWER, Role.VIEWER, True),
            (Role.VIEWER, Role.MEMBER, False),
            (Role.OWNER, Role.MAINTAINER, True),
        ],
    )
    def test_each_role_may_what_those_below_may(self, held: Role, wanted: Role, may: bool) -> None:
        project = make.project()
        member = make.member(project, role=held)

        assert selectors.may_see(member, project.id, wanted) is may
        assert not selectors.may_see(member, uuid7(), wanted)


@pytest.mark.django_db
class TestMembers:
    @pytest.fixture
    def project(self) -> Project:
        return make.project("vision", owner=make.user("owner"))

    @pytest.fixture
    def call(self, project: Project) -> Callable[..., tuple[int, str]]:
        def call(method: str, by: Role, path: str = "", **body: str) -> tuple[int, str]:
            person = make.member(project, role=by)
            answer = Client().generic(
                method,
                f"/api/v1/projects/vision/members{path}",
                json.dumps(body),
                "application/json",
                headers=make.bearer(person),
            )
            return answer.status_code, answer.json().get("code", "") if answer.content else ""

        return call

    def test_are_let_in_by_a_maintainer(
        self, project: Project, call: Callable[..., tuple[int, str]]
    ) -> None:
        grace = make.user("grace")

        assert call("POST", Role.MAINTAINER, username="grace", role="member") == (201, "")

        assert selectors.role_of(grace, project.id) is Role.MEMBER
        entry = Entry.objects.get(action="member.add", object_id=grace.id)
        assert (entry.project_id, entry.detail["role"]) == (project.id, "member")

    def test_are_not_let_in_by_a_member(self, call: Callable[..., tuple[int, str]]) -> None:
        make.user("grace")

        assert call("POST", Role.MEMBER, username="grace", role="viewer") == (403, "role_needed")

    def test_get_no_role_above_the_givers(self, call: Callable[..., tuple[int, str]]) -> None:
        make.user("grace")

        refused = call("POST", Role.MAINTAINER, username="grace", role="owner")

        assert refused == (403, "role_above_yours")

    def test_must_be_somebody(self, call: Callable[..., tuple[int, str]]) -> None:
        assert call("POST", Role.OWNER, username="x", role="viewer") == (422, "user_unknown")

    def test_come_in_once(self, call: Callable[..., tuple[int, str]]) -> None:
        assert call("POST", Role.OWNER, username="owner", role="viewer") == (
            409,
            "member_already",
        )

    def test_change_roles(self, project: Project, call: Callable[..., tuple[int, str]]) -> None:
        grace = make.member(project)

        assert call("PATCH", Role.OWNER, f"/{grace.id}", role="owner") == (200, "")

        assert selectors.role_of(grace, project.id) is Role.OWNER

    def test_above_a_maintainer_stay_what_they_are(
        self, project: Project, call: Callable[..., tuple[int, str]]
    ) -> None:
        owner = Membership.objects.get(project=project, role=Role.OWNER).user_id

        assert call("PATCH", Role.MAINTAINER, f"/{owner}", role="viewer")[1] == "role_above_yours"
        assert call("DELETE", Role.MAINTAINER, f"/{owner}")[1] == "role_above_yours"

    def test_go_by_themselves(self, project: Project) -> None:
        grace = make.member(project, role=Role.VIEWER)

        gone = Client().delete(
            f"/api/v1/projects/vision/members/{grace.id}", headers=make.bearer(grace)
        )

        assert gone.status_code == 204
        assert selectors.role_of(grace, project.id) is None

    def test_are_not_sent_away_by_a_viewer(
        self, project: Project, call: Callable[..., tuple[int, str]]
    ) -> None:
        grace = make.member(project, role=Role.VIEWER)

        assert call("DELETE", Role.VIEWER, f"/{grace.id}") == (403, "role_needed")

    @pytest.mark.parametrize("method", ["DELETE", "PATCH"])
    def test_the_last_owner_stays(self, project: Project, method: str) -> None:
        owner = Membership.objects.get(project=project, role=Role.OWNER).user

        refused = Client().generic(
            method,
            f"/api/v1/projects/vision/members/{owner.id}",
            '{"role": "viewer"}',
            "application/json",
            headers=make.bearer(owner),
        )

        assert (refused.status_code, refused.json()["code"]) == (409, "last_owner")

    def test_who_is_not_one_is_not_found(self, call: Callable[..., tuple[int, str]]) -> None:
        assert call("DELETE", Role.OWNER, f"/{make.user().id}") == (404, "not_found")


@pytest.mark.django_db(transaction=True)
class TestTwoOwnersLeavingAtOnce:
    def test_leave_one_behind(self) -> None:
        first, second = make.user(), make.user()
        project = make.project(owner=first)
        make.member(project, second, role=Role.OWNER)
        meet = threading.Barrier(2)
        refused: list[Exception] = []

        def leave(person: object) -> None:
            meet.wait(10)
            try:
                services.remove_member(
                    project=project,
                    user_id=person.id,  # type: ignore[attr-defined]
                    by=Role.OWNER,
                    actor=SYSTEM,
                    at=timezone.now(),
                )
            except services.LastOwner as error:
                refused.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=leave, args=[person]) for person in (first, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(refused) == 1
        assert Membership.objects.filter(project=project).count() == 1


@pytest.mark.django_db
class TestAudit:
    def test_lists_what_was_done_newest_first_by_action(self) -> None:
        owner = make.user()
        project = make.project("vision", owner=owner)
        for name in ("grace", "alan"):
            make.user(name)
            services.add_member(
                project=project,
                username=name,
                role=Role.VIEWER,
                by=Role.OWNER,
                actor=owner.actor,
                at=timezone.now(),
            )

        listed = Client().get(
            "/api/v1/projects/vision/audit?action=member.add", headers=make.bearer(owner)
        )

        assert [row["detail"]["username"] for row in listed.json()["results"]] == ["alan", "grace"]
        assert names_of(listed.json(), "actor_name") == [owner.username] * 2
