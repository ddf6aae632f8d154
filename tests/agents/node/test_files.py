"""Folders that a payload could write to, see L14 of the attack list."""

import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from agents.node import files, outputs


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text("secret")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    one = tmp_path / "outputs"
    (one / "deep").mkdir(parents=True)
    (one / "deep" / "file").write_text("mine")
    return one


def names(folder: Path) -> list[str]:
    return [output.ref.path for output in outputs.collect(folder)]


class TestCollect:
    @pytest.mark.parametrize("target", ["deep/file", "./deep/../deep/file", "{folder}/deep/file"])
    def test_takes_links_that_stay_inside(self, folder: Path, target: str) -> None:
        (folder / "link").symlink_to(target.format(folder=folder))

        assert names(folder) == ["deep/file", "link"]
        for output in outputs.collect(folder):
            with output.open() as stream:
                assert stream.read() == b"mine"

    @pytest.mark.parametrize(
        "target",
        ["/etc/passwd", "../outside/secret", "{outside}/secret", "nowhere", "link", "deep"],
    )
    def test_leaves_out_the_others(self, folder: Path, outside: Path, target: str) -> None:
        (folder / "link").symlink_to(target.format(outside=outside))

        assert names(folder) == ["deep/file"]

    def test_goes_into_no_folder_that_is_a_link(self, folder: Path, outside: Path) -> None:
        (folder / "away").symlink_to(outside)
        (folder / "by-the-way").symlink_to("away/secret")

        assert names(folder) == ["deep/file"]

    def test_waits_at_no_pipe(self, folder: Path) -> None:
        os.mkfifo(folder / "pipe")

        assert names(folder) == ["deep/file"]

    def test_does_not_send_what_a_folder_was_swapped_for(self, folder: Path, outside: Path) -> None:
        (output,) = outputs.collect(folder)
        (outside / "file").write_text("secret")
        (folder / "deep").rename(folder / "moved")
        (folder / "deep").symlink_to(outside)

        with pytest.raises(files.LeadsOut):
            output.open()

    def test_is_not_led_away_by_the_whole_folder(self, folder: Path, outside: Path) -> None:
        folder.rename(folder.with_name("moved"))
        folder.symlink_to(outside)

        with pytest.raises(OSError, match="Not a directory"):
            outputs.collect(folder)


class TestRemove:
    def test_removes_links_and_not_what_they_lead_to(self, folder: Path, outside: Path) -> None:
        (folder / "away").symlink_to(outside)
        (folder / "file").symlink_to(outside / "secret")
        before = outside.stat().st_mode

        assert files.remove(folder)
        assert (outside / "secret").read_text() == "secret"
        assert outside.stat().st_mode == before

    def test_removes_what_was_closed(self, folder: Path) -> None:
        (folder / "deep" / "file").chmod(0)
        (folder / "deep").chmod(0)
        folder.chmod(0)

        assert files.remove(folder)

    def test_removes_what_lies_very_deep(self, folder: Path) -> None:
        at = os.open(folder, os.O_RDONLY)
        for _ in range(3000):  # longer than any path
            os.mkdir("d", dir_fd=at)
            below = os.open("d", os.O_RDONLY, dir_fd=at)
            os.close(at)
            at = below
        os.close(at)

        assert files.remove(folder)
        assert os.listdir(folder.parent) == []

    def test_what_is_not_there_is_gone(self, tmp_path: Path) -> None:
        assert files.remove(tmp_path / "nothing")
        assert files.remove(tmp_path / "no" / "thing")

    def test_is_never_led_away_by_who_swaps_folders(self, tmp_path: Path, outside: Path) -> None:
        over = threading.Event()

        def swap() -> None:
            while not over.is_set():
                for before, after in (("deep", "moved"), ("moved", "deep")):
                    try:
                        os.rename(tmp_path / "w" / before, tmp_path / "w" / after)
                        os.symlink(outside, tmp_path / "w" / before)
                        os.unlink(tmp_path / "w" / before)
                    except OSError:
                        continue

        swapper = threading.Thread(target=swap)
        swapper.start()
        try:
            for _ in range(50):
                with suppress(OSError):  # it may be a link just now
                    (tmp_path / "w" / "deep" / "deeper").mkdir(parents=True)
                files.remove(tmp_path / "w")
        finally:
            over.set()
            swapper.join()
        assert (outside / "secret").read_text() == "secret"
