import pytest

from controlplane.cli.output import harmless, size


class TestHarmless:
    def test_text_and_colours_pass(self) -> None:
        assert harmless("a\tb\n\x1b[31mred\x1b[0m") == "a\tb\n\x1b[31mred\x1b[0m"

    @pytest.mark.parametrize(
        "hostile",
        [
            "\x1b]52;c;ZXZpbA==\x07",  # writes the clipboard
            "\x1b]0;title\x1b\\",
            "\x1b]8;;javascript:alert(1)\x07",
            "\x1b[2J",
            "\x1b[10A",
            "\x1bP1$qm\x1b\\",
            "\x9b2J",
            "\x07",
            "\x00",
            "\x1bc",
        ],
    )
    def test_what_steers_a_terminal_goes(self, hostile: str) -> None:
        shown = harmless(f"before{hostile}after")

        assert not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in shown)
        assert shown.startswith("before")

    def test_an_unfinished_sequence_goes_too(self) -> None:
        assert "\x1b" not in harmless("text\x1b]0;never ends")


class TestSize:
    @pytest.mark.parametrize(
        ("count", "text"),
        [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 * 1024**3, "5.0 GiB"), (None, "")],
    )
    def test_binary_units(self, count: int | None, text: str) -> None:
        assert size(count) == text
