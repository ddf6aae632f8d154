from collections.abc import Callable

from tests.agents.runners.conftest import Ended, zipped

Run = Callable[..., Ended]


def script(entrypoint: str = "main.py", path: str = "main.py", **more: object) -> dict[str, object]:
    code = {"path": path, "digest": "", "size": 0}
    return {"kind": "script", "code": code, "entrypoint": entrypoint, **more}


class TestScript:
    def test_runs_a_file_with_its_arguments(self, run: Run) -> None:
        ended = run(
            script(arguments=["--n", "1 2"]), code={"main.py": b"import sys; print(sys.argv[1:])"}
        )

        assert (ended.code, ended.log) == (0, "['--n', '1 2']\n")

    def test_runs_a_folder_from_its_root(self, run: Run) -> None:
        code = zipped(
            {
                "pkg/job.py": b"import os, helper; helper.hi()",
                "pkg/helper.py": b"""
def hi(): print(open('data.txt').read())
""",
                "data.txt": b"here",
            }
        )

        ended = run(script("pkg/job.py", "code.zip"), code={"code.zip": code})

        assert (ended.code, ended.log) == (0, "here\n")

    def test_sees_torch_and_nothing_of_ours(self, run: Run) -> None:
        body = b"""
import importlib.util as u
print([n for n in ('torch', 'agents', 'apps', 'controlplane') if u.find_spec(n)])
"""
        assert run(script(), code={"main.py": body}).log == "['torch']\n"

    def test_sees_its_inputs(self, run: Run) -> None:
        body = b"import os; print(os.listdir(os.environ['DATAHALL_INPUTS'] + '/data'))"

        ended = run(
            script(), code={"main.py": body}, files={"z.zip": zipped({"x": b""})}, unpack=True
        )

        assert ended.log == "['x']\n"

    def test_its_exit_code_is_the_workloads(self, run: Run) -> None:
        ended = run(script(), code={"main.py": b"raise SystemExit(7)"})

        assert ended.code == 7
        assert not (ended.workspace / "told" / "failure.json").exists()

    def test_its_traceback_is_in_the_log(self, run: Run) -> None:
        ended = run(script(), code={"main.py": b"1 / 0"})

        assert ended.code == 1
        assert ended.log.endswith("ZeroDivisionError: division by zero\n")

    def test_a_missing_entrypoint_is_named(self, run: Run) -> None:
        ended = run(script("other.py"), code={"main.py": b""})

        assert ended.failure["code"] == "entrypoint_missing"

    def test_an_entrypoint_outside_the_code_is_missing(self, run: Run) -> None:
        ended = run(script("../order.json"), code={"main.py": b""})

        assert ended.failure["code"] == "entrypoint_missing"

    def test_requirements_that_cannot_be_installed_are_the_environments_fault(
        self, run: Run
    ) -> None:
        ended = run(script(requirements=["./no-such-folder"]), code={"main.py": b""})

        assert ended.failure["code"] == "requirements_failed"
        assert ended.failure["cause"] == "environment"
