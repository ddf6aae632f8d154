import pytest

from agents.node.failures import Exit, last_line, sort
from agents.protocol.workloads import Cause

TRACEBACK = b'Traceback (most recent call last):\n  File "main.py", line 2, in <module>\n'


class TestSort:
    def test_success_is_no_failure(self) -> None:
        assert sort(Exit(0), b"MemoryError\n", None) is None

    @pytest.mark.parametrize(
        ("ended", "tail", "code", "cause"),
        [
            (Exit(1), TRACEBACK + b"ZeroDivisionError: x\n", "exited", Cause.USER_CODE),
            (Exit(1), TRACEBACK + b"MemoryError\n", "out_of_memory", Cause.OUT_OF_MEMORY),
            (
                Exit(1),
                TRACEBACK + b"numpy._core._exceptions._ArrayMemoryError: Unable to allocate\n",
                "out_of_memory",
                Cause.OUT_OF_MEMORY,
            ),
            (
                Exit(1),
                TRACEBACK + b"torch.OutOfMemoryError: CUDA out of memory. Tried to allocate\n",
                "device_out_of_memory",
                Cause.OUT_OF_MEMORY,
            ),
            (Exit(-9, oom_kills=1), b"", "out_of_memory", Cause.OUT_OF_MEMORY),
            (Exit(137, oom_kills=1), b"Killed\n", "out_of_memory", Cause.OUT_OF_MEMORY),
            (Exit(-9), b"", "killed_by_signal", Cause.USER_CODE),
            (Exit(-11), b"", "killed_by_signal", Cause.USER_CODE),
            (Exit(3, oom_kills=1), b"", "exited", Cause.USER_CODE),
            (
                Exit(-15, stop_cause=Cause.INTERRUPTED),
                b"",
                "installation_stopped",
                Cause.INTERRUPTED,
            ),
        ],
    )
    def test_by_how_it_ended_and_what_it_said(
        self, ended: Exit, tail: bytes, code: str, cause: Cause
    ) -> None:
        failed = sort(ended, tail, None)

        assert failed is not None
        assert (failed.reason.code, failed.cause) == (code, cause)

    def test_a_word_about_memory_in_passing_is_no_cause(self) -> None:
        failed = sort(Exit(1), b"MemoryError handled\nsomething else: bad\n", None)

        assert failed is not None
        assert failed.cause == Cause.USER_CODE

    def test_what_the_runner_says_wins(self) -> None:
        said = {
            "code": "requirements_failed",
            "params": {"requirements": "x"},
            "cause": "environment",
        }

        failed = sort(Exit(1), b"anything\n", said)

        assert failed is not None
        assert (failed.reason.code, failed.cause) == ("requirements_failed", Cause.ENVIRONMENT)
        assert failed.reason.params == {"requirements": "x"}

    @pytest.mark.parametrize(
        "said",
        [
            {},
            {"code": 7, "params": {}, "cause": "environment"},
            {"code": "x", "params": {}, "cause": "somebody"},
            {"code": "x", "params": [], "cause": "environment"},
        ],
    )
    def test_an_odd_word_of_the_runner_is_ignored(self, said: dict[str, object]) -> None:
        failed = sort(Exit(1), b"Error: real\n", said)

        assert failed is not None
        assert failed.reason.code == "exited"


class TestLastLine:
    def test_without_colours_and_blanks(self) -> None:
        assert last_line("first\n\x1b[31mError: bad\x1b[0m\n  \n\n") == "Error: bad"

    def test_is_short(self) -> None:
        assert len(last_line("x" * 10_000)) == 300

    def test_of_nothing_is_nothing(self) -> None:
        assert last_line("\n\n") == ""
