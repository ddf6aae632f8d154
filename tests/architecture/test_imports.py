"""The import contracts hold, and each of them bites when it is broken on purpose."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import ForeignKey

ROOT = Path(__file__).parents[2]
LINT = Path(sys.executable).with_name("lint-imports")


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT, "--no-cache"], cwd=tree, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("tree")
    shutil.copy(ROOT / "pyproject.toml", tree)
    sources = shutil.ignore_patterns("__pycache__", "*.pyc")
    for folder in ("controlplane", "apps", "agents", "tests/architecture"):
        shutil.copytree(ROOT / folder, tree / folder, ignore=sources)
    (tree / "tests" / "__init__.py").touch()
    return tree


BREAKS = [
    ("1.", "apps/accounts/models.py", "import apps.projects.models"),
    ("1.", "apps/registry/models.py", "import apps.datasets.models"),
    ("1.", "apps/live/apps.py", "import apps.ingest.apps"),
    ("1.", "apps/common/ids.py", "import controlplane.celery"),
    ("1.", "agents/protocol/base.py", "import apps.common.ids"),
    ("2.", "apps/audit/models.py", "import apps.audit.services"),
    ("2.", "apps/accounts/selectors.py", "import apps.accounts.services"),
    ("2.", "apps/projects/services.py", "import apps.projects.api"),
    ("3.", "apps/projects/services.py", "import apps.accounts.serializers"),
    ("3.", "apps/projects/api.py", "import apps.accounts.api"),
    ("4a.", "agents/node/__init__.py", "import django.conf"),
    ("4a.", "agents/node/__init__.py", "import apps.common.ids"),
    ("4a.", "agents/recipes/__init__.py", "import controlplane.celery"),
    ("4b.", "apps/common/ids.py", "import torch"),
    ("4b.", "apps/common/ids.py", "import pickle"),
    ("4b.", "controlplane/celery.py", "import agents.node"),
    ("4b.", "agents/protocol/base.py", "import agents.runners.context"),
    ("5.", "agents/node/__init__.py", "import agents.runners.context"),
    ("5.", "agents/runners/context.py", "import agents.node"),
    ("6.", "controlplane/cli/__init__.py", "import django.conf"),
    ("6.", "controlplane/cli/__init__.py", "import celery"),
    ("6.", "controlplane/cli/__init__.py", "import apps.common.ids"),
]


class TestContracts:
    def test_hold(self) -> None:
        result = lint(ROOT)

        assert result.returncode == 0, result.stdout

    @pytest.mark.parametrize(
        ("contract", "module", "line"), BREAKS, ids=[f"{c} {m} {x}" for c, m, x in BREAKS]
    )
    def test_bite(self, copy: Path, contract: str, module: str, line: str) -> None:
        path = copy / module
        source = path.read_text()
        path.write_text(f"{source}\n{line}\n")
        try:
            result = lint(copy)
        finally:
            path.write_text(source)

        assert result.returncode == 1, result.stdout
        assert re.search(rf"^{re.escape(contract)} .* BROKEN$", result.stdout, re.MULTILINE), (
            result.stdout
        )

    def test_every_contract_is_broken_here_once(self) -> None:
        names = re.findall(r'^name = "(\d\w?\.) ', (ROOT / "pyproject.toml").read_text(), re.M)

        assert {contract for contract, _, _ in BREAKS} == set(names)


def layers() -> Iterator[set[str]]:
    """The apps of contract 1, highest first."""
    text = (ROOT / "pyproject.toml").read_text()
    listed = re.search(r'name = "1\..*?layers = \[(.*?)\]', text, re.DOTALL)
    assert listed
    for line in re.findall(r'"([^"]+)"', listed[1]):
        yield set(re.findall(r"apps\.(\w+)", line))


class TestForeignKeys:
    """A key named by a string imports nothing, so no contract sees it."""

    def test_point_to_the_same_or_a_lower_app(self) -> None:
        height = {app: -depth for depth, apps_ in enumerate(layers()) for app in apps_}
        ours = {label: height[label] for label in height if apps.is_installed(f"apps.{label}")}

        upwards = [
            f"{model._meta.label}.{field.name} -> {field.related_model._meta.label}"
            for model in apps.get_models()
            if model._meta.app_label in ours
            for field in model._meta.get_fields(include_hidden=True)
            if isinstance(field, ForeignKey)
            and field.related_model._meta.app_label in ours
            and model._meta.app_label != field.related_model._meta.app_label
            and ours[field.related_model._meta.app_label] >= ours[model._meta.app_label]
        ]

        assert upwards == []

    def test_every_app_has_its_place(self) -> None:
        placed = set().union(*layers())
        installed = {
            config.label for config in apps.get_app_configs() if config.name.startswith("apps.")
        }

        assert installed <= placed
