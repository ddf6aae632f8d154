import unicodedata
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from apps.artifacts import paths
from apps.common.errors import DomainError

NASTY = st.text(
    alphabet=st.sampled_from("ab/\\.: \0\n\r\tAÀé\u0301\u202e\ud800ßcon~%"), max_size=40
)


class TestFault:
    @pytest.mark.parametrize(
        "path",
        [
            "a",
            "train/0/1.png",
            "数据/图片 1.png",
            "a.b.c/-x",
            "...a",
            ".hidden",
            "2024-01-01T00:00.csv",
        ],
    )
    def test_takes_what_people_name_their_files(self, path):
        assert paths.fault(path) is None

    @pytest.mark.parametrize(
        ("path", "why"),
        [
            ("", "path_empty"),
            ("/etc/passwd", "path_absolute"),
            ("C:/x", "path_absolute"),
            ("c:x", "path_absolute"),
            ("a\\..\\b", "path_backslash"),
            ("..", "path_steps_out"),
            ("a/../b", "path_steps_out"),
            ("a//b", "path_steps_out"),
            ("a/./b", "path_steps_out"),
            ("a/", "path_steps_out"),
            ("a\0b", "path_control_character"),
            ("a\r\nb", "path_control_character"),
            ("a\x7fb", "path_control_character"),
            ("gpj.\u202eexe", "path_control_character"),
            ("a\ud800", "path_control_character"),
            ("x" * 256, "path_too_long"),
            ("数" * 86, "path_too_long"),
            ("/".join(["x" * 200] * 6), "path_too_long"),
            ("a./b", "path_not_portable"),
            ("a /b", "path_not_portable"),
            ("CON", "path_not_portable"),
            ("a/nul.txt", "path_not_portable"),
        ],
    )
    def test_refuses(self, path, why):
        refusal = paths.fault(path)

        assert refusal
        assert refusal.code == why

    @given(NASTY | st.text(max_size=60))
    def test_what_is_taken_stays_below_its_folder_on_every_system(self, path):
        assume(paths.fault(path) is None)

        assert Path("/root", path).resolve() == Path("/root") / path
        assert not PurePosixPath(path).is_absolute()
        assert not PureWindowsPath(path).anchor
        assert ".." not in PureWindowsPath(path).parts
        assert path.encode().isascii() or path.encode().decode() == path

    @given(NASTY | st.text(max_size=60))
    def test_composing_a_taken_path_leaves_it_taken(self, path):
        assume(paths.fault(path) is None)

        assert paths.fault(paths.composed(path)) in (None, paths.PathTooLong)


class TestCheck:
    @pytest.mark.parametrize(
        ("names", "why"),
        [
            ([], "files_missing"),
            (["a", "../a"], "path_steps_out"),
            (["a", "b", "A"], "path_clash"),
            ([str(n) for n in range(paths.MAX_FILES + 1)], "too_many_files"),
        ],
        ids=["none", "one bad", "two alike", "too many"],
    )
    def test_refuses_a_set(self, names, why):
        with pytest.raises(DomainError) as refused:
            paths.check(names)
        assert refused.value.code == why


class TestClashes:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("a", "a"),
            ("a.png", "A.PNG"),
            ("stra\u00dfe", "STRASSE"),
            (unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é")),
            ("a", "a/b"),
            ("a/b", "A"),
            ("Cat/1", "cat/2"),
        ],
    )
    def test_finds(self, one, other):
        assert list(paths.clashes([one, other]))
        assert list(paths.clashes([other, one]))

    def test_leaves_good_sets_alone(self):
        assert list(paths.clashes(["a/b", "a/c", "ab", "b/a/b", "a/d/e"])) == []

    @given(st.lists(NASTY.filter(bool), max_size=12))
    def test_a_set_without_clashes_has_as_many_names_on_a_disk_blind_to_case(self, names):
        assume(not list(paths.clashes(names)))

        assert len({paths.folded(name) for name in names}) == len(names)
