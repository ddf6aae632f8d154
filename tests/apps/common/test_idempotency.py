import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.common import sweeps
from apps.common.models import IdempotencyKey
from apps.projects.models import Project
from tests import make


def create(headers: dict[str, str], key: str, slug: str):
    return Client().post(
        "/api/v1/projects",
        {"slug": slug},
        "application/json",
        headers={**headers, "Idempotency-Key": key},
    )


@pytest.mark.django_db
class TestIdempotentCreate:
    def test_makes_one_thing_of_the_same_request(self) -> None:
        headers = make.bearer(make.user())

        first, second = create(headers, "k", "vision"), create(headers, "k", "vision")

        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json() == second.json()
        assert second["Idempotent-Replayed"] == "true"
        assert Project.objects.count() == 1

    def test_refuses_the_key_for_another_request(self) -> None:
        headers = make.bearer(make.user())
        create(headers, "k", "vision")

        refused = create(headers, "k", "speech")

        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_mismatch")
        assert Project.objects.count() == 1

    def test_keeps_peoples_keys_apart(self) -> None:
        create(make.bearer(make.user()), "k", "vision")

        assert create(make.bearer(make.user()), "k", "speech").status_code == 201

    def test_forgets_a_request_that_was_refused(self) -> None:
        headers = make.bearer(make.user())
        theirs = make.project("vision")
        assert create(headers, "k", "vision").status_code == 409
        theirs.delete()

        assert create(headers, "k", "vision").status_code == 201

    @pytest.mark.parametrize("key", ["", "x" * 256, "tab\there"])
    def test_refuses_a_key_that_is_none(self, key: str) -> None:
        refused = create(make.bearer(make.user()), key, "vision")

        assert (refused.status_code, refused.json()["code"]) == (400, "idempotency_key_refused")

    def test_keeps_answers_for_a_day(self) -> None:
        headers = make.bearer(make.user())
        create(headers, "old", "vision")
        IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(days=2))
        create(headers, "new", "speech")

        sweeps.SWEEPS["common.forget_idempotency_keys"].run()

        assert [row.key for row in IdempotencyKey.objects.all()] == ["new"]


@pytest.mark.django_db(transaction=True)
class TestManyAtOnce:
    def test_make_one_thing(self) -> None:
        headers = make.bearer(make.user())
        start = threading.Barrier(4)
        answers: list[tuple[int, str]] = []

        def ask() -> None:
            start.wait(10)
            answer = create(headers, "k", "vision")
            answers.append((answer.status_code, answer.json()["id"]))
            connection.close()

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(answers) == 4
        assert set(answers) == {(201, str(Project.objects.get().id))}
