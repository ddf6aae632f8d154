import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from agents.protocol.specs import ImportSpec
from agents.runners.failure import Failure
from agents.runners.unpack import unpack
from tests.agents.runners.conftest import zipped

LIMITS = ImportSpec(max_entries=100, max_unpacked_bytes=10_000_000)


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[bytes], Path]:
    def unpack_bytes(body: bytes) -> Path:
        archive, target = tmp_path / "a.zip", tmp_path / "target"
        archive.write_bytes(body)
        target.mkdir()
        unpack(archive, target, LIMITS)
        return target

    return unpack_bytes


def with_mode(mode: int) -> bytes:
    import io

    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        entry = zipfile.ZipInfo("entry")
        entry.external_attr = mode << 16
        archive.writestr(entry, "/etc/passwd")
    return body.getvalue()


class TestUnpack:
    def test_files_and_folders_come_out(self, opened: Callable[[bytes], Path]) -> None:
        target = opened(zipped({"a/b.txt": b"one", "c.txt": b"two", "d/": b""}))

        assert (target / "a/b.txt").read_bytes() == b"one"
        assert (target / "d").is_dir()

    @pytest.mark.parametrize(
        "name",
        [
            "../out",
            "a/../../out",
            "/etc/out",
            "a\\..\\out",
            "C:/out",
            "a\nb",
            "a\u202eb",
            "x" * 300,
            "/".join("d" * 40),
        ],
    )
    def test_refuses_odd_names(self, name: str, opened: Callable[[bytes], Path]) -> None:
        with pytest.raises(Failure, match="archive_name_refused"):
            opened(zipped({"fine": b"", name: b""}))

    @pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
    def test_refuses_links_and_special_files(
        self, kind: int, opened: Callable[[bytes], Path]
    ) -> None:
        with pytest.raises(Failure, match="archive_link_refused"):
            opened(with_mode(kind | 0o777))

    @pytest.mark.parametrize("names", [("a.png", "A.PNG"), ("\u00e9", "e\u0301")])
    def test_refuses_names_that_some_disks_confuse(
        self, names: tuple[str, str], opened: Callable[[bytes], Path]
    ) -> None:
        with pytest.raises(Failure, match="archive_name_twice"):
            opened(zipped(dict.fromkeys(names, b"")))

    def test_refuses_too_many_entries(self, opened: Callable[[bytes], Path]) -> None:
        with pytest.raises(Failure, match="archive_too_many_entries"):
            opened(zipped({str(number): b"" for number in range(101)}))

    def test_refuses_a_bomb(self, tmp_path: Path, opened: Callable[[bytes], Path]) -> None:
        path = tmp_path / "bomb.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("zeros", bytes(9_000_000))

        with pytest.raises(Failure, match="archive_bomb"):
            opened(path.read_bytes())

    def test_refuses_more_than_fits(self, opened: Callable[[bytes], Path]) -> None:
        with pytest.raises(Failure, match="archive_too_large"):
            opened(zipped({"a": bytes(6_000_000), "b": bytes(6_000_000)}))

    def test_refuses_an_entry_that_lies_about_its_size(
        self, opened: Callable[[bytes], Path]
    ) -> None:
        body = bytearray(zipped({"a": b"0123456789"}))
        central = body.index(b"PK\x01\x02")
        struct.pack_into("<I", body, central + 24, 3)  # uncompressed size

        with pytest.raises(Failure, match=r"archive_(bomb|unreadable)"):
            opened(bytes(body))

    @pytest.mark.parametrize("cut", [10, 60])
    def test_says_that_an_archive_is_cut_short(
        self, cut: int, opened: Callable[[bytes], Path]
    ) -> None:
        with pytest.raises(Failure, match="archive_unreadable"):
            opened(zipped({"a": b"x" * 100})[:-cut])
