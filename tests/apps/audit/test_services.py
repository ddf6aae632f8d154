import threading

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError

from apps.audit import services
from apps.audit.models import Entry
from apps.common.actors import SYSTEM
from tests import make


@pytest.mark.django_db
class TestRecord:
    def test_says_who_did_what_to_which_object_of_which_project(self) -> None:
        ada = make.user("ada")
        project = make.project()
        member = make.member(project)

        services.record(ada.actor, "member.add", member, project=project, role="viewer")

        entry = Entry.objects.get(action="member.add")
        assert (entry.actor_kind, entry.actor_id, entry.actor_name) == ("user", ada.id, "ada")
        assert (entry.object_type, entry.object_id) == ("user", member.id)
        assert entry.project_id == project.id
        assert entry.detail == {"role": "viewer"}

    def test_takes_the_project_of_the_object(self) -> None:
        project = make.project()
        make.member(project)

        services.record(SYSTEM, "member.look", project.memberships.get())

        assert Entry.objects.get(action="member.look").project_id == project.id

    def test_numbers_entries_in_order(self) -> None:
        ada = make.user()
        for _ in range(3):
            services.record(SYSTEM, "user.look", ada)

        looks = Entry.objects.filter(action="user.look").order_by("created_at", "id")
        numbers = list(looks.values_list("seq", flat=True))
        assert numbers == sorted(set(numbers))

    @pytest.mark.parametrize(
        "statement", ["UPDATE audit_entry SET action = 'nothing'", "DELETE FROM audit_entry"]
    )
    def test_is_never_changed(self, statement: str) -> None:
        services.record(SYSTEM, "user.look", make.user())

        with (
            pytest.raises(IntegrityError, match="never changed"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)


@pytest.mark.django_db(transaction=True)
class TestTogetherWithTheDeed:
    def test_is_undone_with_it(self) -> None:
        ada = make.user()

        with transaction.atomic():
            services.record(SYSTEM, "user.look", ada)
            transaction.set_rollback(True)

        assert not Entry.objects.filter(action="user.look").exists()

    def test_refuses_to_be_written_apart(self) -> None:
        ada = make.user()

        with pytest.raises(transaction.TransactionManagementError):
            services.record(SYSTEM, "user.look", ada)

    def test_many_at_once_get_a_number_each(self) -> None:
        ada = make.user()

        def look() -> None:
            with transaction.atomic():
                services.record(SYSTEM, "user.look", ada)
            connection.close()

        threads = [threading.Thread(target=look) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        numbers = Entry.objects.filter(action="user.look").values_list("seq", flat=True)
        assert len(set(numbers)) == len(threads)
