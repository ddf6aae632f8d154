import pytest

from apps.artifacts import names


class TestCheck:
    @pytest.mark.parametrize("name", ["digits", "Digits-2.1_b", "手写数字", "7", "é" * 100])
    def test_takes(self, name):
        names.check(name)

    @pytest.mark.parametrize(
        "name",
        [
            "",
            "a b",
            "a/b",
            "a@1",
            ".hidden",
            "-rf",
            "_x",
            "a.",
            "con",
            "a\n",
            "x" * 101,
            "e\u0301",
            "01890a5d-ac96-774b-bcce-b302099a8057",
            "0" * 32,
        ],
    )
    def test_refuses(self, name):
        with pytest.raises(names.NameRefused):
            names.check(name)
