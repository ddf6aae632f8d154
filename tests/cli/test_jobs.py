import io
import zipfile
from pathlib import Path

from controlplane.cli.commands.jobs import zipped


class TestZipped:
    def test_takes_the_code_and_leaves_the_rest(self, tmp_path: Path) -> None:
        for name in ("main.py", "pkg/a.py", ".git/config", "__pycache__/main.pyc", ".env"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(name)

        with zipfile.ZipFile(io.BytesIO(zipped(tmp_path))) as archive:
            assert archive.namelist() == ["main.py", "pkg/a.py"]

    def test_the_same_files_are_the_same_bytes(self, tmp_path: Path) -> None:
        (tmp_path / "main.py").write_text("1")
        before = zipped(tmp_path)
        (tmp_path / "main.py").touch()

        assert zipped(tmp_path) == before
