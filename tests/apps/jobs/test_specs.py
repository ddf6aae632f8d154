import pytest

from apps.artifacts import services as artifacts
from apps.common.errors import InputRefused
from apps.common.ids import uuid7
from apps.jobs import specs
from apps.jobs.models import JobKind
from tests.apps.jobs import make
from tests.apps.workloads import make as hosts
from tests.apps.workloads.make import GIB, NOON

pytestmark = pytest.mark.django_db


def refused(project, kind: JobKind, config: dict) -> dict[str, str]:
    """Field -> code of everything that is wrong."""
    with pytest.raises(InputRefused) as refusal:
        specs.read_config(project, kind, config)
    return {one.field: one.code for one in refusal.value.refusals}


class TestTrain:
    CONFIG = {"recipe": "image_classification", "dataset": "digits"}

    def test_fills_in_every_default(self):
        project = make.project()
        version = make.ready(project)

        prepared = specs.read_config(project, JobKind.TRAIN, self.CONFIG)

        assert prepared.config == {
            "recipe": "image_classification",
            "recipe_version": "1",
            "parameters": {
                "epochs": 5,
                "batch_size": 32,
                "learning_rate": 0.002,
                "image_size": 28,
                "color": "auto",
                "seed": 0,
            },
            "dataset": "digits@1",
            "version": str(version.id),
            "model": "digits-image_classification",
            "resources": {
                "cpu_millis": 1000,
                "memory_bytes": 2 * GIB,
                "device_count": 0,
                "device_kind": "",
                "device_memory_bytes": 0,
                "simulated": False,
            },
            "grace_seconds": 10.0,
        }
        assert prepared.name == "image_classification digits@1"

    def test_takes_the_resources_that_are_given(self):
        project = make.project()
        make.ready(project)
        config = self.CONFIG | {"resources": {"device_count": 2}}

        prepared = specs.read_config(project, JobKind.TRAIN, config)

        assert prepared.config["resources"]["device_count"] == 2
        assert prepared.config["resources"]["cpu_millis"] == 1000

    def test_names_an_unknown_dataset(self):
        assert refused(make.project(), JobKind.TRAIN, self.CONFIG) == {"dataset": "dataset_unknown"}

    def test_names_a_dataset_of_another_project(self):
        make.ready(make.project())

        assert refused(make.project(), JobKind.TRAIN, self.CONFIG) == {"dataset": "dataset_unknown"}

    def test_names_an_unknown_version(self):
        project = make.project()
        make.ready(project)

        config = self.CONFIG | {"dataset": "digits@7"}
        assert refused(project, JobKind.TRAIN, config) == {"dataset": "dataset_version_unknown"}

    def test_names_a_dataset_that_is_not_ready(self):
        project = make.project()
        make.published(project)

        assert refused(project, JobKind.TRAIN, self.CONFIG) == {"dataset": "dataset_importing"}

    def test_names_a_dataset_of_another_kind(self):
        project = make.project()
        make.ready(project, kind="table")

        assert refused(project, JobKind.TRAIN, self.CONFIG) == {
            "dataset": "dataset_kind_not_accepted"
        }

    def test_names_everything_that_is_wrong_at_once(self):
        project = make.project()
        make.ready(project)
        config = self.CONFIG | {
            "parameters": {"epochs": 0, "batch_size": "many", "colour": "grey", "color": "blue"},
            "model": "../up",
        }

        assert refused(project, JobKind.TRAIN, config) == {
            "parameters.epochs": "parameter_too_small",
            "parameters.batch_size": "parameter_not_integer",
            "parameters.colour": "parameter_unknown",
            "parameters.color": "parameter_not_a_choice",
            "model": "name_refused",
        }

    def test_names_an_unknown_recipe(self):
        project = make.project()
        make.ready(project)

        config = self.CONFIG | {"recipe": "alchemy"}
        assert refused(project, JobKind.TRAIN, config) == {"recipe": "recipe_unknown"}


class TestScript:
    def config(self, project, **fields) -> dict:
        code = make.upload(project, b"print(1)", filename="main.py")
        return {"code": str(code.id), "entrypoint": "main.py"} | fields

    def read(self, project, **fields) -> dict:
        config = self.config(project, **fields)
        return specs.read_config(project, JobKind.SCRIPT, config).config

    def test_takes_a_file_by_upload(self):
        project = make.project()

        config = self.read(project)

        assert config["code"]["path"] == "main.py"
        assert config["code"]["size"] == len(b"print(1)")

    def test_takes_a_file_by_digest(self):
        project = make.project()
        artifact = make.artifact(project, b"print(1)")

        assert self.read(project, code=artifact.digest)["code"]["digest"] == artifact.digest

    def test_takes_a_folder_as_an_archive(self):
        project = make.project()
        code = make.upload(project, b"PK", filename="folder.zip")

        config = self.read(project, code=str(code.id), entrypoint="src/train.py")

        assert (config["code"]["path"], config["entrypoint"]) == ("code.zip", "src/train.py")

    def test_names_code_that_is_not_there(self):
        project = make.project()

        for code, why in ((str(uuid7()), "upload_unknown"), ("f" * 64, "artifact_unknown")):
            config = self.config(project, code=code)
            assert refused(project, JobKind.SCRIPT, config) == {"code": why}

    def test_names_another_projects_code(self):
        stranger = make.artifact(make.project(), b"secret")
        project = make.project()

        config = self.config(project, code=stranger.digest)
        assert refused(project, JobKind.SCRIPT, config) == {"code": "artifact_unknown"}

    def test_names_an_upload_that_is_not_finished(self):
        project = make.project()
        upload = artifacts.start_upload(
            project=project, holder=uuid7(), filename="main.py", size=9, digest="", at=NOON
        )

        config = self.config(project, code=str(upload.id))
        assert refused(project, JobKind.SCRIPT, config) == {"code": "upload_unfinished"}

    @pytest.mark.parametrize("entrypoint", ["../main.py", "/main.py", "a/../../b.py", "a\\b.py"])
    def test_names_an_entrypoint_outside_the_code(self, entrypoint):
        project = make.project()
        code = make.upload(project, b"PK", filename="folder.zip")

        config = self.config(project, code=str(code.id), entrypoint=entrypoint)
        assert list(refused(project, JobKind.SCRIPT, config)) == ["entrypoint"]

    def test_names_an_entrypoint_in_a_folder_of_a_single_file(self):
        project = make.project()

        config = self.config(project, entrypoint="src/main.py")
        assert refused(project, JobKind.SCRIPT, config) == {
            "entrypoint": "entrypoint_in_no_archive"
        }

    @pytest.mark.parametrize("line", ["--index-url=http://x", "-r other.txt", "", "/etc/passwd"])
    def test_names_requirements_that_are_options(self, line):
        project = make.project()

        config = self.config(project, requirements=["numpy==2.1", line])
        assert refused(project, JobKind.SCRIPT, config) == {"requirements.1": "requirement_refused"}

    def test_names_requirements_of_what_is_to_have_no_network(self):
        project = make.project()

        config = self.config(project, requirements=["numpy==2.1"], network="none")
        assert refused(project, JobKind.SCRIPT, config) == {
            "requirements": "requirements_need_network"
        }

    def test_names_a_wish_that_no_node_can_grant(self):
        project = make.project()
        config = self.config(project, network="none")
        assert specs.read_config(project, JobKind.SCRIPT, config).config["network"] == "none"

        hosts.node(isolation={"profile": "none"})
        assert refused(project, JobKind.SCRIPT, config) == {"network": "network_none_nowhere"}

        hosts.node(isolation={"profile": "bwrap"})
        assert specs.read_config(project, JobKind.SCRIPT, config).config["network"] == "none"

    @pytest.mark.parametrize(
        ("name", "code"),
        [
            ("A B", "variable_refused"),
            ("DATAHALL_TOKEN", "variable_reserved"),
            ("CUDA_VISIBLE_DEVICES", "variable_reserved"),
        ],
    )
    def test_names_variables_that_are_not_its_own(self, name, code):
        project = make.project()

        config = self.config(project, env={name: "1", "GOOD": "1"})
        assert refused(project, JobKind.SCRIPT, config) == {"env": code}

    def test_names_inputs_by_their_place(self):
        project = make.project()
        make.ready(project)
        inputs = [{"dataset": "digits"}, {"dataset": "nope"}, {"dataset": "digits"}]

        config = self.config(project, inputs=inputs)
        assert refused(project, JobKind.SCRIPT, config) == {
            "inputs.1.dataset": "dataset_unknown",
            "inputs.2.name": "input_twice",
        }
