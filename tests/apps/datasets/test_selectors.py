import pytest

from agents.protocol.base import Reason
from agents.protocol.results import Profile
from apps.datasets import selectors, services
from tests import make
from tests.apps.datasets.test_services import publish, ref
from tests.make import NOON

pytestmark = pytest.mark.django_db
NOBODY = "01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.fixture
def project():
    """With three versions of one dataset: ready, importing, failed."""
    project = make.project()
    ready, _, failed = (
        publish(project, [ref(project, "a", bytes([number]))]) for number in (1, 2, 3)
    )
    profile = Profile(kind="files", samples=1)
    services.complete_import(version_id=ready.id, profile=profile, thumbnails={}, at=NOON)
    services.fail_import(version_id=failed.id, reason=Reason(code="x"), at=NOON)
    return project


class TestVersion:
    def test_by_name_is_the_newest_that_has_not_failed(self, project):
        assert selectors.version(project, "digits").number == 2

    def test_by_name_and_number_is_that_one(self, project):
        assert selectors.version(project, "digits@3").number == 3

    def test_by_identifier(self, project):
        version = selectors.version(project, "digits@1")

        assert selectors.version(project, str(version.id)) == version

    @pytest.mark.parametrize(
        "ref", ["digits@4", "digits@", "digits@x", "digits@٣", "digits@1@1", "digits@999999999"]
    )
    def test_says_that_the_number_is_wrong(self, project, ref):
        with pytest.raises(selectors.DatasetVersionUnknown):
            selectors.version(project, ref)

    @pytest.mark.parametrize("ref", ["other", "other@1", "", NOBODY, "x" * 5000, "a\0", "\ud800"])
    def test_says_that_there_is_no_such_dataset(self, project, ref):
        with pytest.raises(selectors.DatasetUnknown):
            selectors.version(project, ref)

    def test_of_another_project_is_not_there(self, project):
        version = selectors.version(project, "digits")

        with pytest.raises(selectors.DatasetUnknown):
            selectors.version(make.project(), "digits")
        with pytest.raises(selectors.DatasetUnknown):
            selectors.version(make.project(), str(version.id))


class TestDatasetsIn:
    def test_brings_the_newest_version_alone_and_never_the_files(
        self, project, django_assert_num_queries
    ):
        with django_assert_num_queries(2):
            [dataset] = selectors.datasets_in(project)
            [newest] = dataset.newest
            assert newest.number == 3
            assert "files" in newest.get_deferred_fields()
